"""Changing part of what is set about a person, as a program does that sends only what it changes.

A page shows everything and saves everything, so it has to have seen the latest state. Here the rest
is read under the lock under which the part is written. The rules are those of
:mod:`erpbridge.access.services.people`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from erpbridge.access.form_digest import PERSON_FIELDS, in_words, rights_of
from erpbridge.access.models import Membership, Project
from erpbridge.access.policy import Access
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Approver, Levels, Person
from erpbridge.audit.services import changes, note

ORIGIN_FIELDS = ("origin_id", "origin_data")


@transaction.atomic
def amend(
    membership_id: int,
    *,
    values: Mapping[str, Any],
    can_push: bool | None = None,
    on_projects: Mapping[Project, Mapping[str, Any]] | None = None,
    by: Access,
) -> None:
    """Set the given fields of a person.

    ``values`` are columns of :data:`PERSON_FIELDS` and :data:`ORIGIN_FIELDS`; ``can_push`` is the
    approver's flag, None where it stays; ``on_projects`` has some levels for each project.

    :raises ValidationError: for what a rule forbids; nothing is saved.
    :raises PermissionDenied: for another flag from somebody who may not grant it.
    :raises IntegrityError: for an origin id that another person of the account has.
    """
    membership = people_services.locked(membership_id, by)
    person = {name: values.get(name, getattr(membership, name)) for name in PERSON_FIELDS}
    approver = _approver(membership, can_push)
    if approver or any(name in values for name in PERSON_FIELDS):
        people_services.save(membership, person=Person(**person), approver=approver, by=by)
    origin = {name: values[name] for name in ORIGIN_FIELDS if name in values}
    _set_origin(membership, origin, by=by)
    if on_projects:
        _set_levels(membership, on_projects, by=by)


def take_off(project: Project, membership_id: int, *, by: Access) -> None:
    """Take every level in a project from a person."""
    amend(membership_id, values={}, on_projects={project: asdict(Levels())}, by=by)


def _approver(membership: Membership, can_push: bool | None) -> Approver | None:
    """The approver's part with another flag; None where the flag stays, which needs no right."""
    if can_push in (None, membership.can_push_to_accounting):
        return None
    rights = rights_of(membership)
    if can_push and not any(can_export for _can_import, can_export in rights.values()):
        # As on the page, where ticking the flag ticks every record type.
        rights = {entity: (rights[entity][0], True) for entity in rights}
    return Approver(bool(can_push), membership.erp_digest, rights)


def _set_origin(membership: Membership, origin: Mapping[str, str], *, by: Access) -> None:
    before = in_words({name: getattr(membership, name) for name in origin})
    made = changes(before, in_words(origin))
    if not made:
        return
    changed = {**origin, "updated_at": timezone.now()}
    Membership.objects.filter(pk=membership.pk).update(**changed)
    told = people_services.event(membership, people_services.CHANGED, {"changes": made})
    note(by.account.pk, [told], by=by.user)


def _set_levels(
    membership: Membership, on_projects: Mapping[Project, Mapping[str, Any]], *, by: Access
) -> None:
    projects = list(on_projects)
    before = people_services.project_state(membership, projects)
    levels = {one.pk: Levels(**{**before[one.pk], **on_projects[one]}) for one in projects}
    people_services.save_on_projects(membership, projects, before=before, levels=levels, by=by)

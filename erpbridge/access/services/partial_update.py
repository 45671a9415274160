"""Partial update of a person, for API clients that send only the fields they change.

A page saves all fields and therefore checks that it has seen the latest state. Here the other
fields are read under the same lock under which the new values are written. The rules are those of
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

    ``values`` has columns of :data:`PERSON_FIELDS` and :data:`ORIGIN_FIELDS`; ``can_push`` is the
    approver flag, None to keep it; ``on_projects`` has the levels to change for each project.

    :raises ValidationError: when a rule forbids the change; nothing is saved.
    :raises PermissionDenied: when the caller may not grant the approver flag.
    :raises IntegrityError: when another person of the account has the origin id.
    """
    membership = people_services.locked(membership_id, by)
    person = {name: values.get(name, getattr(membership, name)) for name in PERSON_FIELDS}
    approver = _approver(membership, can_push)
    # Without a change of rights, none of their rules is asked, such as who may grant the flag.
    if approver or any(name in values for name in PERSON_FIELDS):
        people_services.save(membership, person=Person(**person), approver=approver, by=by)
    origin = {name: values[name] for name in ORIGIN_FIELDS if name in values}
    _set_origin(membership, origin, by=by)
    if on_projects:
        _set_levels(membership, on_projects, by=by)


def take_off(project: Project, membership_id: int, *, by: Access) -> None:
    """Remove every level in a project from a person. Errors: see :func:`amend`."""
    amend(membership_id, values={}, on_projects={project: asdict(Levels())}, by=by)


def _approver(membership: Membership, can_push: bool | None) -> Approver | None:
    """Return the approver part for a changed flag; None if it stays, which needs no right."""
    if can_push in (None, membership.can_push_to_accounting):
        return None
    rights = rights_of(membership)
    if can_push and not any(can_export for _can_import, can_export in rights.values()):
        # Same as on the page, where ticking the flag ticks every record type.
        rights = {entity: (rights[entity][0], True) for entity in rights}
    return Approver(bool(can_push), membership.erp_digest, rights)


def _set_origin(membership: Membership, origin: Mapping[str, str], *, by: Access) -> None:
    before = in_words({name: getattr(membership, name) for name in origin})
    differences = changes(before, in_words(origin))
    if not differences:
        return
    columns = {**origin, "updated_at": timezone.now()}
    Membership.objects.filter(pk=membership.pk).update(**columns)
    event = people_services.event(membership, people_services.CHANGED, {"changes": differences})
    note(by.account.pk, [event], by=by.user)


def _set_levels(
    membership: Membership, on_projects: Mapping[Project, Mapping[str, Any]], *, by: Access
) -> None:
    projects = list(on_projects)
    before = people_services.project_state(membership, projects)
    levels = {
        project.pk: Levels(**{**before[project.pk], **on_projects[project]}) for project in projects
    }
    people_services.save_on_projects(membership, projects, before=before, levels=levels, by=by)

"""Add people to an account and change what they may do.

Every function takes the :class:`~erpbridge.access.policy.Access` of the acting person and records
the changes in the history. All work under a lock on the account, so that two admins cannot remove
each other's Directory Admin at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from erpbridge.access.form_digest import (
    LEVEL_FIELDS,
    Rights,
    Stale,
    digest,
    in_words,
    levels_of,
    person_state,
)
from erpbridge.access.levels import Level
from erpbridge.access.models import (
    Account,
    ErpRight,
    Membership,
    Project,
    ProjectMembership,
    User,
)
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.record_types import entity_choices
from erpbridge.access.services.end_access import end_if_lowered
from erpbridge.audit.models import Event
from erpbridge.audit.services import Note, changes, note
from erpbridge.db.text import login_email
from erpbridge.json_values import Json

ENTITY = "person"
ADDED = "added"
INVITED = "invited"
ASKED = "asked to join"
JOINED = "joined"
CHANGED = "changed"
# Characters of a link's nonce; about 130 random bits.
NONCE = 22


@dataclass(frozen=True)
class Levels:
    """The level per tool and the granular right, in an account or in a project."""

    directory: Level = Level.NONE
    admin: Level = Level.NONE
    erp_integrations: Level = Level.NONE
    create_edit_companies: bool = False


@dataclass(frozen=True)
class Person(Levels):
    """What an admin of people sets for a person."""

    job_title: str = ""
    is_active: bool = True


@dataclass(frozen=True)
class Approver:
    """What only somebody with the approver's privilege sets for a person."""

    can_push_to_accounting: bool
    erp_digest: bool
    rights: Rights


@dataclass(frozen=True)
class Added:
    """A person added to the account; a new login still needs a password."""

    membership: Membership
    new_login: bool


@transaction.atomic
def add(*, email: str, name: str, person: Person, by: Access, trusted: bool = False) -> Added:
    """Give ``email`` a membership; the login is created if it does not exist.

    E-mail addresses are not verified, so the holder of an existing login may be somebody else than
    the admin means. Such a membership gives no access until the person uses the link of
    :mod:`erpbridge.people.join_views`, unless the operator vouches for it (``trusted``). A new
    login gets its first password through this account's own link, which is proof enough.

    :raises ValidationError: when the person is already in the account.
    """
    # make_password(None) is unusable: the person sets a password through the invitation link.
    user, new_login = User.objects.get_or_create(
        email=login_email(email), defaults={"name": name, "password": make_password(None)}
    )
    if user.is_service:
        raise ValidationError({"email": "This is a service account, not a person."})
    # Two admins may add the same person at once: the constraint decides, and the second is told.
    membership, created = Membership.objects.get_or_create(
        user=user,
        account=by.account,
        defaults=asdict(person) | _confirmation_columns(confirmed=new_login or trusted),
    )
    if not created:
        raise ValidationError({"email": "This person is in the account already."})
    # INVITED marks the account that created the login; _may_set_password() looks for it.
    verbs = [ADDED, INVITED] if new_login else [ADDED]
    verbs += [] if membership.is_confirmed else [ASKED]
    differences = changes(in_words(asdict(Person())), in_words(asdict(person)))
    data = {
        "changes": {label: ["", new_value] for label, (_default, new_value) in differences.items()}
    }
    events = [event(membership, verb, data if verb == ADDED else {}) for verb in verbs]
    note(by.account.pk, events, by=by.user)
    return Added(membership, new_login)


@transaction.atomic
def update(
    membership_id: int, *, person: Person, approver: Approver | None, seen: str, by: Access
) -> Membership:
    """Save the page of a person; ``approver`` is None if that part was not open to ``by``.

    :raises Stale: when the person was changed after the page was opened.
    :raises ValidationError: when a rule forbids the change; nothing is saved.
    :raises PermissionDenied: for an approver part from somebody without the privilege.
    """
    membership = locked(membership_id, by)
    _refuse_stale(membership, digest(person_state(membership)), seen)
    save(membership, person=person, approver=approver, by=by)
    return membership


def save(membership: Membership, *, person: Person, approver: Approver | None, by: Access) -> None:
    """Save a person whom the caller has :func:`locked`.

    :raises ValidationError: when a rule forbids the change; nothing is saved.
    :raises PermissionDenied: for an approver part from somebody without the privilege.
    """
    before = person_state(membership)
    if approver is not None and not (answer := by.can(Permission.PEOPLE_GRANT_APPROVER)):
        raise PermissionDenied(answer.why)
    _check_own_change(membership, person, by)
    _check_last_admin(membership, person, approver)
    _store(membership, person, approver)
    after = person_state(membership)
    differences = changes(in_words(before), in_words(after))
    if differences:
        note(by.account.pk, [event(membership, CHANGED, {"changes": differences})], by=by.user)
        end_if_lowered(membership, before, after, by=by.user)


@transaction.atomic
def set_project_levels(
    membership_id: int, *, levels: Mapping[int, Levels], seen: str, by: Access
) -> int:
    """Save a person's levels in several projects. Return the number of changed projects.

    :raises Stale: when one of the levels was changed after the page was opened.
    """
    membership = locked(membership_id, by)
    projects = list(Project.objects.filter(account=by.account, pk__in=levels))
    before = project_state(membership, projects)
    _refuse_stale(membership, digest(before), seen)
    return save_on_projects(membership, projects, before=before, levels=levels, by=by)


def save_on_projects(
    membership: Membership,
    projects: list[Project],
    *,
    before: Mapping[int, Mapping[str, object]],
    levels: Mapping[int, Levels],
    by: Access,
) -> int:
    """Save project levels of a person whom the caller has :func:`locked`.

    ``before`` is the :func:`project_state` read under that lock. Return the number of changed
    projects.
    """
    events, changed = [], {}
    for project in projects:
        after = asdict(levels[project.pk])
        differences = changes(in_words(before[project.pk]), in_words(after))
        if differences:
            changed[project.pk] = after
            data: Mapping[str, Json] = {"changes": differences, "project": project.pk}
            events.append(event(membership, CHANGED, data, about=f"Project {project}"))
    _store_projects(membership, changed)
    if changed:
        # The levels are in rows of their own; API clients find changed people by this time.
        Membership.objects.filter(pk=membership.pk).update(updated_at=timezone.now())
    note(by.account.pk, events, by=by.user)
    for pk, after in changed.items():
        end_if_lowered(membership, before[pk], after, by=by.user)
    return len(events)


def project_state(membership: Membership, projects: list[Project]) -> dict[int, dict[str, object]]:
    """Return the levels of the person in each of ``projects``."""
    rows = {row.project_id: row for row in membership.projects.filter(project__in=projects)}
    return {project.pk: levels_of(rows.get(project.pk)) for project in projects}


def history(membership: Membership, *, most: int) -> list[Event]:
    """Return the latest changes to the person, newest first."""
    events = Event.objects.about(membership.account_id, ENTITY, membership.pk)
    return list(events[:most])


def may_invite(membership: Membership) -> bool:
    """Whether this account may issue a link to join or to set the login's first password.

    Only the account that created the login may issue the password link; another account could
    otherwise take the login over.
    """
    return must_join(membership) or _may_set_password(membership)


def must_join(membership: Membership) -> bool:
    """Whether the person still has to join this account with their existing login."""
    return membership.is_active and not membership.is_confirmed


def _may_set_password(membership: Membership) -> bool:
    """Whether this account created the login and it has no password yet."""
    user = membership.user
    if user.has_usable_password() or not (user.is_active and membership.is_active):
        return False
    events = Event.objects.about(membership.account_id, ENTITY, membership.pk)
    return events.filter(verb=INVITED).exists()


@transaction.atomic
def invite(membership_id: int, *, by: Access) -> Membership:
    """Invalidate the links issued before, so that a new one can be made.

    :raises ValidationError: when the person has joined and their login has a password or was
        created by another account.
    """
    membership = locked(membership_id, by)
    if must_join(membership):
        membership.join_nonce = get_random_string(NONCE)
        membership.save(update_fields=["join_nonce"])
        verb = ASKED
    elif _may_set_password(membership):
        # Invalidates the earlier link, whose token depends on the stored password.
        membership.user.set_unusable_password()
        membership.user.save(update_fields=["password"])
        verb = INVITED
    else:
        raise ValidationError("This person has a password already and can log in with it.")
    note(by.account.pk, [event(membership, verb, {})], by=by.user)
    return membership


@transaction.atomic
def join(membership: Membership, *, nonce: str) -> bool:
    """Confirm the membership if ``nonce`` is current; False if it was used or replaced."""
    # A conditional UPDATE, so that of two concurrent requests only one confirms.
    joined = Membership.objects.filter(
        pk=membership.pk, confirmed_at=None, join_nonce=nonce, is_active=True
    ).update(confirmed_at=timezone.now(), join_nonce="")
    if joined:
        note(membership.account_id, [event(membership, JOINED, {})], by=membership.user)
    return bool(joined)


def _confirmation_columns(*, confirmed: bool) -> dict[str, object]:
    """Return the columns of a new membership: confirmed, or waiting for its link."""
    if confirmed:
        return {"confirmed_at": timezone.now()}
    return {"join_nonce": get_random_string(NONCE)}


def _refuse_stale(membership: Membership, now: str, seen: str) -> None:
    if now != seen:
        raise Stale(now, next(iter(history(membership, most=1)), None))


def locked(membership_id: int, by: Access) -> Membership:
    """Return the membership under the account's lock. Every edit of people goes through here."""
    # no_key: rows that refer to the account can still be inserted meanwhile.
    Account.objects.select_for_update(no_key=True).get(pk=by.account.pk)
    people = Membership.objects.people().select_related("user").filter(account=by.account)
    return people.get(pk=membership_id)


def _check_own_change(membership: Membership, person: Person, by: Access) -> None:
    # What somebody takes from themselves by mistake, they could not give back.
    if membership.user_id != by.user.pk:
        return
    if membership.directory == Level.ADMIN and person.directory != Level.ADMIN:
        message = "You cannot take Admin on Directory from yourself; ask another admin."
        raise ValidationError({"directory": message})
    if not person.is_active:
        raise ValidationError({"is_active": "You cannot deactivate yourself; ask another admin."})


def _check_last_admin(membership: Membership, person: Person, approver: Approver | None) -> None:
    """Keep at least one admin of people, and one who can grant the approver flag."""
    other_admins = (
        Membership.objects.active()
        .people()
        .filter(account=membership.account_id, directory=Level.ADMIN)
        .exclude(pk=membership.pk)
    )
    stays_admin = person.directory == Level.ADMIN and person.is_active
    # Who has not joined yet cannot enter, so does not count as an admin.
    was_active = membership.is_active and membership.is_confirmed
    was_admin = membership.directory == Level.ADMIN and was_active
    if was_admin and not stays_admin and not other_admins.exists():
        field = "directory" if person.is_active else "is_active"
        message = "This is the account's last active Directory Admin; name another one first."
        raise ValidationError({field: message})
    was_approver = membership.can_push_to_accounting
    # A page without the approver part leaves the flag as it is.
    stays_approver = approver.can_push_to_accounting if approver else was_approver
    # Only an admin who holds the flag can grant it, so only the last of these is kept.
    if not (was_admin and was_approver) or (stays_admin and stays_approver):
        return
    if not other_admins.filter(can_push_to_accounting=True).exists():
        message = (
            "Nobody could grant Can push to accounting any more: this is the last active "
            "Directory Admin who holds it. Grant it to another Directory Admin first."
        )
        raise ValidationError(message)


def _store(membership: Membership, person: Person, approver: Approver | None) -> None:
    fields = asdict(person) | {"updated_at": timezone.now()}
    if approver is not None:
        fields |= {
            "can_push_to_accounting": approver.can_push_to_accounting,
            "erp_digest": approver.erp_digest,
        }
        _store_rights(membership, approver.rights)
    for name, value in fields.items():
        setattr(membership, name, value)
    membership.save(update_fields=list(fields))


def _store_rights(membership: Membership, rights: Rights) -> None:
    rows = []
    # For every type, so that a right that is no longer ticked is taken away.
    for entity, _label in entity_choices():
        can_import, can_export = rights.get(entity, (False, False))
        rows.append(
            ErpRight(
                membership=membership, entity=entity, can_import=can_import, can_export=can_export
            )
        )
    ErpRight.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["membership", "entity"],
        update_fields=["can_import", "can_export"],
    )


def _store_projects(membership: Membership, levels: Mapping[int, Mapping[str, object]]) -> None:
    """Save the changed levels, and delete the rows of projects without any level."""
    emptied = [pk for pk, columns in levels.items() if not any(columns.values())]
    ProjectMembership.objects.filter(membership=membership, project__in=emptied).delete()
    ProjectMembership.objects.bulk_create(
        [
            ProjectMembership(membership=membership, project_id=pk, **columns)
            for pk, columns in levels.items()
            if any(columns.values())
        ],
        update_conflicts=True,
        unique_fields=["membership", "project"],
        update_fields=LEVEL_FIELDS,
    )


def event(membership: Membership, verb: str, data: Mapping[str, Json], *, about: str = "") -> Note:
    """Return a history entry about a person."""
    return Note(ENTITY, membership.pk, str(membership.user), verb, note=about, data=data)

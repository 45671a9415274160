"""Writing users: the rules are those of the page *People*, whose services store them.

A login's name and address are its person's: other accounts may know the same login. They are set
for a new login and never changed here; an existing login is let in by its person alone, with the
link of the page (:mod:`erpbridge.people.join_views`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from erpbridge.access.form_digest import LEVEL_FIELDS, PERSON_FIELDS
from erpbridge.access.levels import Level, Tool
from erpbridge.access.models import Membership, User
from erpbridge.access.policy import Access
from erpbridge.access.services import partial_update
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Person
from erpbridge.db.text import login_email
from erpbridge.people.api.user_serializer import names_of
from erpbridge.rest.errors import by_field
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.bodies import Reader
from erpbridge.rest.sync import Records, SyncRow

FLAG = "erp_integrated_accountant"
# What null empties; anywhere else null is as good as not sent.
EMPTIED_BY_NULL = ("job_title", "origin_id", "origin_data")
NEEDED = ("last_name", "email_address")
BLANK = "can't be blank"
OF_THE_LOGIN = "belongs to the person's login and cannot be changed here"
NO_LEVEL = "must give at least one tool more than None; to take a user off, remove the user"
# The field that a rule of the services names -> the field of a body.
WORDS = {
    "email": "email_address",
    "name": "last_name",
    **dict.fromkeys(LEVEL_FIELDS, "permission_levels"),
}
ON_A_PROJECT = {Tool.DIRECTORY.value: Level.READ_ONLY}


@bodies.reader({"type": "object", "additionalProperties": {"enum": Level.labels}})
def levels(value: Any) -> dict[str, Level]:
    """``{"directory": "Read Only"}``: some tools, and the word of a level for each."""
    if not isinstance(value, Mapping):
        raise ValidationError("must be an object of tools and their levels")
    by_word = {label.lower(): Level(number) for number, label in Level.choices}
    found = {}
    for tool, word in value.items():
        if tool not in Tool.values:
            raise ValidationError(f"“{str(tool)[:50]}” is not one of: {', '.join(Tool.values)}")
        level = by_word.get(bodies.plain(word).lower())
        if level is None:
            raise ValidationError(f"{tool}: must be one of: {', '.join(Level.labels)}")
        found[tool] = level
    return found


OF_LEVELS: dict[str, Reader] = {
    "permission_levels": levels,
    "create_edit_companies": bodies.flag,
}
READERS: dict[str, Reader] = {
    **OF_LEVELS,
    "first_name": bodies.line(150),
    "last_name": bodies.line(150),
    "email_address": bodies.text(User, "email"),
    "job_title": bodies.text(Membership, "job_title"),
    "is_active": bodies.flag,
    FLAG: bodies.flag,
    "origin_id": bodies.identifier(200),
    "origin_data": bodies.long_text(10_000),
}


class UserWrites(Records):
    """Stores users of the account, or of the project that the caller's rights are about."""

    readers = READERS

    identity = "user"

    def __init__(self, access: Access, found: QuerySet[Membership]) -> None:
        self.access, self.users = access, found

    def found(self) -> QuerySet[Membership]:
        """Those that the caller can see."""
        return self.users

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Each user for itself, as they are few that change; each is a transaction of its own."""
        known = self.users.select_related("user").in_bulk(
            [row.pk for row in rows if row.pk is not None]
        )
        for row in rows:
            try:
                row.pk = self.write(row.given, known.get(row.pk or 0))
            except PermissionDenied as error:
                row.refuse({FLAG: [str(error)]})
            except ValidationError as error:
                row.refuse(by_field(error))

    def write(self, given: Mapping[str, Any], member: Membership | None) -> int:
        """Add a user, or change ``member``; returns the id of the membership.

        :raises ValidationError: for what cannot be, by the fields of a body.
        :raises PermissionDenied: for the approver's flag from a caller who may not grant it.
        """
        values, errors = bodies.read(_sent(given), READERS)
        if errors:
            raise ValidationError(errors)
        try:
            with transaction.atomic():
                return self._change(member, values) if member else self._add(values)
        except ValidationError as error:
            told = by_field(error)
            raise ValidationError(
                {WORDS.get(name, name): said for name, said in told.items()}
            ) from error
        except IntegrityError:
            raise ValidationError({"origin_id": "has already been taken"}) from None

    def _add(self, values: Mapping[str, Any]) -> int:
        missing = {name: BLANK for name in NEEDED if not values.get(name)}
        if missing:
            raise ValidationError(missing)
        columns = self._columns(values)
        whole = f"{values.get('first_name', '')} {values['last_name']}".strip()
        added = people_services.add(
            email=values["email_address"],
            name=_login_name(whole),
            person=Person(**{name: columns[name] for name in PERSON_FIELDS if name in columns}),
            by=self.access,
        )
        self._amend(added.membership, columns, values.get(FLAG), self._here(values) or ON_A_PROJECT)
        return added.membership.pk

    def _change(self, member: Membership, values: Mapping[str, Any]) -> int:
        _refuse_another_login(member.user, values)
        self._amend(member, self._columns(values), values.get(FLAG), self._here(values))
        return member.pk

    def _columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is set in the account."""
        of_account = ("job_title", "is_active", *partial_update.ORIGIN_FIELDS)
        columns = {name: values[name] for name in of_account if name in values}
        return columns | (_levels_in(values) if self.access.project is None else {})

    def _here(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is set in the project."""
        return {} if self.access.project is None else _levels_in(values)

    def _amend(
        self,
        member: Membership,
        columns: Mapping[str, Any],
        flag: bool | None,
        here: Mapping[str, Any],
    ) -> None:
        """Most rows of a sync say what is stored already; they cost nothing."""
        project = self.access.project
        on_projects = {project: here} if project and here else None
        same = all(getattr(member, name) == value for name, value in columns.items())
        if same and flag in (None, member.can_push_to_accounting) and not on_projects:
            return
        partial_update.amend(
            member.pk, values=columns, can_push=flag, on_projects=on_projects, by=self.access
        )
        if on_projects and not self.users.filter(pk=member.pk).exists():
            raise ValidationError({"permission_levels": NO_LEVEL})

    @transaction.atomic
    def add_to_project(self, member: Membership, given: Mapping[str, Any]) -> None:
        """Put a user of the company on the project, or set the levels of one that is on it.

        Without any level sent it is Read Only of the project's Directory.

        :raises ValidationError: for levels that cannot be.
        """
        values, errors = bodies.read(_sent(given), OF_LEVELS)
        if errors:
            raise ValidationError(errors)
        is_there = self.users.filter(pk=member.pk).exists()
        self._amend(member, {}, None, self._here(values) or ({} if is_there else ON_A_PROJECT))

    def take_off_project(self, member: Membership) -> None:
        """Take every level in the project from a user."""
        if self.access.project is not None:
            partial_update.take_off(self.access.project, member.pk, by=self.access)


def _sent(given: Mapping[str, Any]) -> dict[str, Any]:
    """A body without the nulls that say nothing, as generated clients send them."""
    return {
        name: value for name, value in given.items() if value is not None or name in EMPTIED_BY_NULL
    }


def _levels_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Levels and the granular right, by column."""
    found = dict(values.get("permission_levels", {}))
    if "create_edit_companies" in values:
        found["create_edit_companies"] = values["create_edit_companies"]
    return found


def _login_name(text: str) -> str:
    """:raises ValidationError: for one that a login cannot have."""
    try:
        return str(bodies.text(User, "name")(text))
    except ValidationError as error:
        raise ValidationError({"last_name": error.messages}) from error


def _refuse_another_login(login: User, values: Mapping[str, Any]) -> None:
    """:raises ValidationError: for another name or address than the login's."""
    errors = {}
    if login_email(values.get("email_address", login.email)) != login.email:
        errors["email_address"] = OF_THE_LOGIN
    first, last = names_of(login.name)
    given = f"{values.get('first_name', first)} {values.get('last_name', last)}"
    if given.split() != login.name.split():
        errors["last_name" if "last_name" in values else "first_name"] = OF_THE_LOGIN
    if errors:
        raise ValidationError(errors)

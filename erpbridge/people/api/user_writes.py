"""Create and change users; the services of the page *People* hold the rules.

The name and address of a login belong to its person, since other accounts may use the same login.
They are set for a new login and never changed here. An existing login joins only when its person
uses the link of the page (:mod:`erpbridge.people.join_views`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from erpbridge.refusals import TAKEN
from erpbridge.rest.errors import by_field
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.bodies import Reader, Values
from erpbridge.rest.sync import Records, SyncRow

FLAG = "erp_integrated_accountant"
# Fields that null clears; for all others null means "not sent".
EMPTIED_BY_NULL = ("job_title", "origin_id", "origin_data")
NEEDED = ("last_name", "email_address")
BLANK = "can't be blank"
OF_THE_LOGIN = "belongs to the person's login and cannot be changed here"
NO_LEVEL = "must give at least one tool more than None; to take a user off, remove the user"
# Field that the services name -> field of the body.
WORDS = {
    "email": "email_address",
    "name": "last_name",
    **dict.fromkeys(LEVEL_FIELDS, "permission_levels"),
}
ON_A_PROJECT = {Tool.DIRECTORY.value: Level.READ_ONLY}


@bodies.reader({"type": "object", "additionalProperties": {"enum": Level.labels}})
def levels(value: object) -> dict[str, Level]:
    """Read ``{"directory": "Read Only"}``: the names of levels for some of the tools."""
    if not isinstance(value, Mapping):
        raise ValidationError("must be an object of tools and their levels")
    by_label = {label.lower(): Level(number) for number, label in Level.choices}
    level_of = {}
    for tool, label in value.items():
        if tool not in Tool.values:
            raise ValidationError(f"“{str(tool)[:50]}” is not one of: {', '.join(Tool.values)}")
        level = by_label.get(bodies.plain(label).lower())
        if level is None:
            raise ValidationError(f"{tool}: must be one of: {', '.join(Level.labels)}")
        level_of[tool] = level
    return level_of


OF_LEVELS: dict[str, Reader[object]] = {
    "permission_levels": levels,
    "create_edit_companies": bodies.flag,
}
READERS: dict[str, Reader[object]] = {
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
    """Saves users of the account, or of the project of the caller's access."""

    readers = READERS

    identity = "user"

    def __init__(self, access: Access, users: QuerySet[Membership]) -> None:
        self.access, self.users = access, users

    def visible(self) -> QuerySet[Membership]:
        """Return the users that the caller can see."""
        return self.users

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Save each row in its own transaction; in a sync few rows really change something."""
        members = self.users.select_related("user").in_bulk(
            [row.pk for row in rows if row.pk is not None]
        )
        for row in rows:
            try:
                row.pk = self.write(row.given, members.get(row.pk or 0))
            except PermissionDenied as error:
                row.refuse({FLAG: [str(error)]})
            except ValidationError as error:
                row.refuse(by_field(error))

    def write(self, fields: Mapping[str, object], member: Membership | None) -> int:
        """Add a user, or change ``member``. Return the id of the membership.

        :raises ValidationError: for invalid values, by field of the body.
        :raises PermissionDenied: for the approver flag from a caller who may not grant it.
        """
        values, errors = bodies.read(_sent(fields), READERS)
        if errors:
            raise ValidationError(errors)
        try:
            with transaction.atomic():
                # In a savepoint: a row that is refused half-way leaves nothing behind.
                return self._change(member, values) if member else self._add(values)
        except ValidationError as error:
            errors_by_field = by_field(error)
            raise ValidationError(
                {WORDS.get(name, name): messages for name, messages in errors_by_field.items()}
            ) from error
        except IntegrityError:
            raise ValidationError({"origin_id": TAKEN}) from None

    def _add(self, values: Values) -> int:
        missing = {name: BLANK for name in NEEDED if not values.get(name)}
        if missing:
            raise ValidationError(missing)
        columns = self._columns(values)
        full_name = f"{values.get('first_name', '')} {values['last_name']}".strip()
        added = people_services.add(
            email=values["email_address"],
            name=_login_name(full_name),
            person=Person(**{name: columns[name] for name in PERSON_FIELDS if name in columns}),
            by=self.access,
        )
        # What the service does not take: the flag, the origin id and levels on the project.
        self._amend(added.membership, columns, values.get(FLAG), self._here(values) or ON_A_PROJECT)
        return added.membership.pk

    def _change(self, member: Membership, values: Values) -> int:
        _refuse_another_login(member.user, values)
        self._amend(member, self._columns(values), values.get(FLAG), self._here(values))
        return member.pk

    def _columns(self, values: Values) -> Values:
        """Return the columns to set in the account."""
        of_account = ("job_title", "is_active", *partial_update.ORIGIN_FIELDS)
        columns = {name: values[name] for name in of_account if name in values}
        return columns | (_levels_in(values) if self.access.project is None else {})

    def _here(self, values: Values) -> Values:
        """Return the levels to set in the project."""
        return {} if self.access.project is None else _levels_in(values)

    def _amend(
        self,
        member: Membership,
        columns: Mapping[str, object],
        flag: bool | None,
        here: Mapping[str, object],
    ) -> None:
        """Save the changes, unless nothing differs, which is the usual case in a sync."""
        project = self.access.project
        on_projects = {project: here} if project and here else None
        same = all(getattr(member, name) == value for name, value in columns.items())
        if same and flag in (None, member.can_push_to_accounting) and not on_projects:
            return
        partial_update.amend(
            member.pk, values=columns, can_push=flag, on_projects=on_projects, by=self.access
        )
        # With all levels at None the user would be off the project, which is a separate action.
        if on_projects and not self.users.filter(pk=member.pk).exists():
            raise ValidationError({"permission_levels": NO_LEVEL})

    @transaction.atomic
    def add_to_project(self, member: Membership, fields: Mapping[str, object]) -> None:
        """Add a user of the company to the project, or set the levels of one who is on it.

        Without levels the user gets Read Only on the project's Directory.

        :raises ValidationError: for invalid levels.
        """
        values, errors = bodies.read(_sent(fields), OF_LEVELS)
        if errors:
            raise ValidationError(errors)
        is_on_project = self.users.filter(pk=member.pk).exists()
        self._amend(member, {}, None, self._here(values) or ({} if is_on_project else ON_A_PROJECT))

    def take_off_project(self, member: Membership) -> None:
        """Remove every level in the project from a user."""
        if self.access.project is not None:
            partial_update.take_off(self.access.project, member.pk, by=self.access)


def _sent(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the body without meaningless nulls, which generated clients send."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None or name in EMPTIED_BY_NULL
    }


def _levels_in(values: Values) -> Values:
    """Return the levels and the granular right, by column."""
    columns = dict(values.get("permission_levels", {}))
    if "create_edit_companies" in values:
        columns["create_edit_companies"] = values["create_edit_companies"]
    return columns


def _login_name(text: str) -> str:
    """Validate the name of a login.

    :raises ValidationError: for an invalid name.
    """
    try:
        return str(bodies.text(User, "name")(text))
    except ValidationError as error:
        raise ValidationError({"last_name": error.messages}) from error


def _refuse_another_login(login: User, values: Values) -> None:
    """Reject a name or address that differs from the login's.

    :raises ValidationError: when one differs.
    """
    errors = {}
    if login_email(values.get("email_address", login.email)) != login.email:
        errors["email_address"] = OF_THE_LOGIN
    first, last = names_of(login.name)
    full_name = f"{values.get('first_name', first)} {values.get('last_name', last)}"
    # By words, because the name is split into first and last name only by position.
    if full_name.split() != login.name.split():
        errors["last_name" if "last_name" in values else "first_name"] = OF_THE_LOGIN
    if errors:
        raise ValidationError(errors)

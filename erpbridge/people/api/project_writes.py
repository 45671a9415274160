"""Create and change projects from API requests, one at a time or in a sync."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from erpbridge.access.models import Project, ProjectMembership
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access, Scope
from erpbridge.access.services import projects as services
from erpbridge.access.services.projects import ProjectValues
from erpbridge.db import text
from erpbridge.refusals import TAKEN
from erpbridge.rest.requests import bodies, countries
from erpbridge.rest.requests.bodies import Reader, Values
from erpbridge.rest.sync import Records, SyncRow

# Field of the body -> (column, reader).
SETTINGS: dict[str, tuple[str, Reader[object]]] = {
    "name": ("name", bodies.text(Project, "name")),
    "project_number": ("number", bodies.text(Project, "number")),
    "active": ("is_active", bodies.flag),
    "erp_integrated": ("use_with_erp", bodies.flag),
}
PLACE = ("address", "city", "state_code", "zip", "country_code", "phone", "description")
DAYS = ("start_date", "completion_date")
DETAILS: dict[str, Reader[object]] = {
    **{name: bodies.text(Project, name) for name in PLACE},
    **countries.READERS,
    **dict.fromkeys(DAYS, bodies.day),
}
ORIGIN: dict[str, Reader[object]] = {
    "origin_id": bodies.identifier(200),
    "origin_code": bodies.identifier(200),
    "origin_data": bodies.long_text(10_000),
}
READERS = {**{name: reader for name, (_column, reader) in SETTINGS.items()}, **DETAILS, **ORIGIN}
AT_THIS_MOMENT = "its project_number or origin_id was taken at this moment"


@dataclass
class Writes(Records):
    """Saves rows of projects in an account."""

    readers = READERS

    access: Access

    def visible(self) -> QuerySet[Project]:
        """Return the projects that the caller can see."""
        return Project.objects.visible_to(self.access.membership)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Save all rows together, or one by one if a number was taken in the meantime."""
        # Checked once: the second attempt differs only in what another caller has taken meanwhile.
        prepared = self._checked(rows)
        try:
            with transaction.atomic():
                self._put(prepared)
        except IntegrityError:
            for pair in prepared:
                self._put_alone(pair)

    def _put(self, prepared: Sequence[tuple[SyncRow, ProjectValues]]) -> None:
        stored = services.store_many(
            [project_values for _row, project_values in prepared], by=self.access
        )
        for (row, _values), project in zip(prepared, stored, strict=True):
            row.pk = project.pk

    def _put_alone(self, pair: tuple[SyncRow, ProjectValues]) -> None:
        try:
            with transaction.atomic():
                self._put([pair])
        except IntegrityError:
            pair[0].refuse({"base": [AT_THIS_MOMENT]})

    def _checked(self, rows: Sequence[SyncRow]) -> list[tuple[SyncRow, ProjectValues]]:
        """Return the valid rows with their column values; add errors to the others."""
        stored = self.visible().in_bulk([row.pk for row in rows if row.pk is not None])
        read = [bodies.read(row.given, READERS) for row in rows]
        rights = _Rights(self.access, stored.values())
        numbers = _Once(self.access, "number", [values.get("project_number") for values, _ in read])
        origins = _Once(self.access, "origin_id", [values.get("origin_id") for values, _ in read])
        prepared = []
        for row, (values, errors) in zip(rows, read, strict=True):
            project = stored.get(row.pk or 0)
            row.refuse(errors)
            row.refuse(countries.codes(values, country=project.country_code if project else ""))
            row.refuse(rights.refused(project, values))
            if not row.errors:
                columns = {
                    SETTINGS[name][0] if name in SETTINGS else name: values[name] for name in values
                }
                message = f"Another project of the account has the number {columns.get('number')}."
                # Only of rows that are good so far: a refused row must not reserve a number.
                row.refuse(numbers.taken("project_number", columns, project, message=message))
                row.refuse(origins.taken("origin_id", columns, project, message=TAKEN))
            if not row.errors:
                prepared.append((row, ProjectValues(row.pk, columns)))
        return prepared


class _Rights:
    """The caller's rights in each project, loaded in one query."""

    def __init__(self, access: Access, projects: Iterable[Project]) -> None:
        memberships = ProjectMembership.objects.filter(
            membership=access.membership, project__in=list(projects)
        )
        self._access, self._held = (
            access,
            {membership.project_id: membership for membership in memberships},
        )

    def refused(self, project: Project | None, values: Values) -> dict[str, list[str]]:
        """Return the errors of a row that the caller may not write or that lacks a name."""
        if project is None:
            if not (answer := self._access.can(Permission.PROJECTS_CREATE)):
                return {"base": [answer.why]}
            if not values.get("name"):
                return {"name": ["can't be blank"]}
        elif not (answer := self._in(project).can(Permission.PROJECT_CONFIGURE)):
            return {"base": [answer.why]}
        before = {name: getattr(project, name) if project else "" for name in ORIGIN}
        # A sync sends the stored ids along, which takes no permission.
        changed = any(values.get(name, before[name]) != before[name] for name in ORIGIN)
        answer = self._access.can(Permission.ITEMS_IMPORT, "project")
        return {"origin_id": [answer.why]} if changed and not answer else {}

    def _in(self, project: Project) -> Access:
        access = self._access
        scope = Scope(access.account, project)
        return Access(access.user, scope, access.membership, self._held.get(project.pk))


class _Once:
    """Tracks the values of a unique column of the account's projects, row by row.

    Numbers are compared by their keys (``db/text.py``); origin ids are compared exactly.
    """

    def __init__(self, access: Access, column: str, values: Iterable[str | None]) -> None:
        self._column = column
        keys = {self._key(value) for value in values if value}
        key_column = "number_key" if column == "number" else column
        rows = Project.objects.filter(account=access.account).annotate(kept=F(key_column))
        matching = rows.filter(kept__in=keys) if keys else rows.none()
        self._holders: dict[str, int | None] = dict(matching.values_list("kept", "pk"))

    def _key(self, value: str) -> str:
        return text.key(value) if self._column == "number" else value

    def taken(
        self, name: str, columns: Values, project: Project | None, *, message: str
    ) -> dict[str, list[str]]:
        """Return the error if another project has the value; else reserve it for this row."""
        if self._column not in columns:
            return {}
        key, own_pk = self._key(columns[self._column]), project.pk if project else None
        # A holder of None is a new project of an earlier row.
        if key in self._holders and (own_pk is None or self._holders[key] != own_pk):
            return {name: [message]}
        if project is not None:
            # The former value is free for a later row.
            self._holders.pop(self._key(getattr(project, self._column)), None)
        if key:
            self._holders[key] = own_pk
        return {}

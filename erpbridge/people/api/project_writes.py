"""Creating and changing projects from what a program sends, one or a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from erpbridge.access.models import Project, ProjectMembership
from erpbridge.access.policy import Access, Scope
from erpbridge.access.services import projects as services
from erpbridge.access.services.projects import Wanted
from erpbridge.db import text
from erpbridge.rest.requests import bodies, countries
from erpbridge.rest.requests.bodies import Reader
from erpbridge.rest.sync import Records, SyncRow

# The name in a body -> the column.
SETTINGS: dict[str, tuple[str, Reader]] = {
    "name": ("name", bodies.text(Project, "name")),
    "project_number": ("number", bodies.text(Project, "number")),
    "active": ("is_active", bodies.flag),
    "erp_integrated": ("use_with_erp", bodies.flag),
}
PLACE = ("address", "city", "state_code", "zip", "country_code", "phone", "description")
DAYS = ("start_date", "completion_date")
DETAILS: dict[str, Reader] = {
    **{name: bodies.text(Project, name) for name in PLACE},
    **countries.READERS,
    **dict.fromkeys(DAYS, bodies.day),
}
ORIGIN: dict[str, Reader] = {
    "origin_id": bodies.identifier(200),
    "origin_code": bodies.identifier(200),
    "origin_data": bodies.long_text(10_000),
}
READERS = {**{name: reader for name, (_column, reader) in SETTINGS.items()}, **DETAILS, **ORIGIN}
TAKEN = "has already been taken"
AT_THIS_MOMENT = "its project_number or origin_id was taken at this moment"


@dataclass
class Writes(Records):
    """Rows of projects on their way into an account."""

    readers = READERS

    access: Access

    def found(self) -> QuerySet[Project]:
        """Those that are open to the caller."""
        return Project.objects.visible_to(self.access.membership)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """All at once, or each for itself where somebody else has just taken a number."""
        wanted = self._checked(rows)
        try:
            with transaction.atomic():
                self._put(wanted)
        except IntegrityError:
            for one in wanted:
                self._put_alone(one)

    def _put(self, wanted: Sequence[tuple[SyncRow, Wanted]]) -> None:
        stored = services.store_many([one for _row, one in wanted], by=self.access)
        for (row, _one), project in zip(wanted, stored, strict=True):
            row.pk = project.pk

    def _put_alone(self, one: tuple[SyncRow, Wanted]) -> None:
        try:
            with transaction.atomic():
                self._put([one])
        except IntegrityError:
            one[0].refuse({"base": [AT_THIS_MOMENT]})

    def _checked(self, rows: Sequence[SyncRow]) -> list[tuple[SyncRow, Wanted]]:
        """The rows with nothing wrong, and what each wants; the others are refused."""
        stored = self.found().in_bulk([row.pk for row in rows if row.pk is not None])
        read = [bodies.read(row.given, READERS) for row in rows]
        may = _Rights(self.access, stored.values())
        numbers = _Once(self.access, "number", [one.get("project_number") for one, _ in read])
        origins = _Once(self.access, "origin_id", [one.get("origin_id") for one, _ in read])
        wanted = []
        for row, (values, errors) in zip(rows, read, strict=True):
            project = stored.get(row.pk or 0)
            row.refuse(errors)
            row.refuse(countries.codes(values, country=project.country_code if project else ""))
            row.refuse(may.refused(project, values))
            if not row.errors:
                columns = _columns(values)
                said = f"Another project of the account has the number {columns.get('number')}."
                row.refuse(numbers.taken("project_number", columns, project, said=said))
                row.refuse(origins.taken("origin_id", columns, project, said=TAKEN))
            if not row.errors:
                wanted.append((row, Wanted(row.pk, columns)))
        return wanted


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {SETTINGS[name][0] if name in SETTINGS else name: values[name] for name in values}


class _Rights:
    """What the caller may do with each project; one query for all of them."""

    def __init__(self, access: Access, projects: Iterable[Project]) -> None:
        held = ProjectMembership.objects.filter(
            membership=access.membership, project__in=list(projects)
        )
        self._access, self._held = access, {one.project_id: one for one in held}

    def refused(self, project: Project | None, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """What the caller may not do, or what is missing."""
        if project is None:
            if not (answer := self._access.can("projects.create")):
                return {"base": [answer.why]}
            if not values.get("name"):
                return {"name": ["can't be blank"]}
        elif not (answer := self._in(project).can("project.configure")):
            return {"base": [answer.why]}
        before = {name: getattr(project, name) if project else "" for name in ORIGIN}
        changed = any(values.get(name, before[name]) != before[name] for name in ORIGIN)
        answer = self._access.can("items.import", "project")
        return {"origin_id": [answer.why]} if changed and not answer else {}

    def _in(self, project: Project) -> Access:
        mine = self._access
        scope = Scope(mine.account, project)
        return Access(mine.user, scope, mine.membership, self._held.get(project.pk))


class _Once:
    """The values of a column that no two projects of the account share, as the rows take them.

    Numbers are compared by their keys (``db/text.py``); origin ids are compared to the letter.
    """

    def __init__(self, access: Access, column: str, given: Iterable[str | None]) -> None:
        self._column = column
        keys = {self._key(one) for one in given if one}
        kept = "number_key" if column == "number" else column
        rows = Project.objects.filter(account=access.account).annotate(kept=F(kept))
        found = rows.filter(kept__in=keys) if keys else rows.none()
        self._holders: dict[str, int | None] = dict(found.values_list("kept", "pk"))

    def _key(self, value: str) -> str:
        return text.key(value) if self._column == "number" else value

    def taken(
        self, name: str, columns: Mapping[str, Any], project: Project | None, *, said: str
    ) -> dict[str, list[str]]:
        """What is wrong with the row's value; where nothing is, the row has it from now on."""
        if self._column not in columns:
            return {}
        key, mine = self._key(columns[self._column]), project.pk if project else None
        if key in self._holders and (mine is None or self._holders[key] != mine):
            return {name: [said]}
        if project is not None:
            self._holders.pop(self._key(getattr(project, self._column)), None)
        if key:
            self._holders[key] = mine
        return {}

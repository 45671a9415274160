"""Rows of a sync as cost codes of a project: they come from the company's lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from admin_wbs.models import CostCode, ProjectCostCode
from admin_wbs.models.full_code import JOINT
from admin_wbs.projects import cost_codes
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.db.text import fold, key
from erpbridge.rest.requests import bodies
from erpbridge.rest.sync import Records, SyncRow

READERS = {
    "code": bodies.text(CostCode, "full_code"),
    "name": bodies.text(CostCode, "description"),
    "parent_id": bodies.whole,
    "standard_cost_code_id": bodies.whole,
    "origin_id": bodies.identifier(200),
}
NO_PARENT = "is no cost code of this project"
OF_COMPANY = "belongs to the company's list. Change it there: {}"
NOT_OFFERED = (
    "A project's cost codes come from the company's lists. Name an active code of a list that is "
    "available to the project by standard_cost_code_id, origin_id, or its full code."
)
Values = Mapping[str, Any]


class ProjectCodeRecords(Records):
    """The cost codes of a project, for :func:`erpbridge.rest.sync.answer`."""

    readers = READERS

    def __init__(self, project: Project, access: Access) -> None:
        self.project, self.access = project, access

    origin = "cost_code__origin_id"

    def found(self) -> QuerySet[ProjectCostCode]:
        """Those that the project has."""
        return ProjectCostCode.objects.filter(project=self.project)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Put the codes on the project that it does not have; of the others nothing can change."""
        values: dict[int, Values] = {}
        for row in rows:
            values[id(row)], errors = bodies.read(row.given, READERS)
            row.refuse(errors)
        self._refuse_parents(rows, values)
        good = [row for row in rows if not row.errors]
        self._compare([row for row in good if row.pk is not None], values)
        self._add([row for row in good if row.pk is None], values)

    def _refuse_parents(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        wanted = {one["parent_id"] for one in values.values() if one.get("parent_id") is not None}
        here = set(self.found().filter(pk__in=wanted).values_list("pk", flat=True))
        for row in rows:
            if values[id(row)].get("parent_id") in wanted - here:
                row.refuse({"parent_id": [NO_PARENT]})

    def _compare(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        here = self.found().select_related("cost_code", "cost_code__list")
        stored = here.in_bulk([row.pk for row in rows]) if rows else {}
        above = [one.cost_code.parent_id for one in stored.values()]
        parents = dict(self.found().filter(cost_code__in=above).values_list("cost_code_id", "pk"))
        for row in rows:
            code = stored[row.pk or 0].cost_code
            now: dict[str, tuple[Any, ...]] = {
                "code": (code.code, code.full_code),
                "name": (code.description,),
                "origin_id": (code.origin_id,),
                "standard_cost_code_id": (code.pk, None),
                "parent_id": (parents.get(code.parent_id or 0), None),
            }
            for name, value in values[id(row)].items():
                if name in now and value not in now[name]:
                    row.refuse({name: [OF_COMPANY.format(f"{code} of {code.list}")]})

    def _add(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        if not rows:
            return
        wanted = self._codes({id(row): values[id(row)] for row in rows})
        codes = set(wanted.values())
        if codes:
            cost_codes.add_of_any(codes, project=self.project, by=self.access.user)
        placed = dict(self.found().filter(cost_code__in=codes).values_list("cost_code_id", "pk"))
        for row in rows:
            # What was made inactive since it was looked up was not added.
            row.pk = placed.get(wanted.get(id(row), 0))
            if row.pk is None:
                row.refuse({_named(values[id(row)]): [NOT_OFFERED]})

    def _codes(self, values: Mapping[int, Values]) -> dict[int, int]:
        """Key of a row -> the company's code that it names."""
        lists_offered = cost_codes.offered_lists(self.project)
        place = {one.pk: number for number, one in enumerate(lists_offered)}
        offered = CostCode.objects.filter(list__in=place, is_active=True)
        full = self._full_codes(values)
        by_id = {one["standard_cost_code_id"] for one in values.values() if _id(one)}
        by_origin = {one["origin_id"] for one in values.values() if one.get("origin_id")}
        found: dict[object, int] = {}
        # Where two lists have a code, the ERP's list, which comes first, is meant.
        rows = offered.values_list("pk", "list_id", "origin_id", "code_key")
        for wanted in (
            rows.filter(pk__in=by_id),
            rows.filter(origin_id__in=by_origin),
            rows.filter(code_key__in=set(full.values())),
        ):
            for pk, _of, origin, code in sorted(wanted, key=lambda row: -place[row[1]]):
                found |= {pk: pk, ("origin", origin): pk, code: pk}
        named: dict[int, int] = {}
        for row, one in values.items():
            name: object = _id(one) or full.get(row)
            if not _id(one) and ("origin", one.get("origin_id")) in found and one.get("origin_id"):
                name = ("origin", one["origin_id"])
            if name in found:
                named[row] = found[name]
        return named

    def _full_codes(self, values: Mapping[int, Values]) -> dict[int, str]:
        """Key of a row -> key of its full code, of rows that give a code."""
        parents = {one["parent_id"] for one in values.values() if one.get("parent_id")}
        rows = self.found().filter(pk__in=parents).values_list("pk", "cost_code__full_code")
        above = dict(rows) if parents else {}
        found = {}
        for row, one in values.items():
            code = one.get("code", "")
            prefix = above.get(one.get("parent_id") or 0, "")
            if prefix and not fold(code).startswith(fold(prefix) + JOINT):
                code = prefix + JOINT + code
            if code:
                found[row] = key(code)
        return found


def _id(values: Values) -> int | None:
    found: int | None = values.get("standard_cost_code_id")
    return found


def _named(values: Values) -> str:
    """The field by which a row names its code."""
    if _id(values):
        return "standard_cost_code_id"
    return "code" if values.get("code") else "origin_id" if values.get("origin_id") else "base"

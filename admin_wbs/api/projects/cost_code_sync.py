"""Store the rows of a sync as cost codes of a project, taken from the company's lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import QuerySet

from admin_wbs.models import CostCode, ProjectCostCode
from admin_wbs.models.full_code import JOINT
from admin_wbs.projects import cost_codes
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.db.text import fold, key
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.bodies import Values
from erpbridge.rest.sync import Records, SyncRow

READERS = {
    "code": bodies.text(CostCode, "full_code"),
    "name": bodies.text(CostCode, "description"),
    "parent_id": bodies.whole,
    "standard_cost_code_id": bodies.whole,
    "origin_id": bodies.identifier(200),
}
NO_PARENT = "is not a cost code of this project"
OF_COMPANY = "belongs to the company's list. Change it there: {}"
NOT_OFFERED = (
    "A project's cost codes come from the company's lists. Name an active code of a list that is "
    "available to the project by standard_cost_code_id, origin_id, or its full code."
)


class ProjectCodeRecords(Records):
    """The cost codes of a project, for :func:`erpbridge.rest.sync.answer`."""

    readers = READERS

    def __init__(self, project: Project, access: Access) -> None:
        self.project, self.access = project, access

    origin = "cost_code__origin_id"

    def visible(self) -> QuerySet[ProjectCostCode]:
        """The codes of the project."""
        return ProjectCostCode.objects.filter(project=self.project)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Add missing codes to the project.

        Codes that the project has belong to the company's list: any changed value is an error.
        """
        values: dict[int, Values] = {}
        for row in rows:
            values[id(row)], errors = bodies.read(row.given, READERS)
            row.refuse(errors)
        self._refuse_parents(rows, values)
        good = [row for row in rows if not row.errors]
        self._compare([row for row in good if row.pk is not None], values)
        self._add([row for row in good if row.pk is None], values)

    def _refuse_parents(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        parent_ids = {
            fields["parent_id"] for fields in values.values() if fields.get("parent_id") is not None
        }
        # Parents are ids of the project's codes, as in every answer of these calls.
        existing = set(self.visible().filter(pk__in=parent_ids).values_list("pk", flat=True))
        for row in rows:
            if values[id(row)].get("parent_id") in parent_ids - existing:
                row.refuse({"parent_id": [NO_PARENT]})

    def _compare(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        project_codes = self.visible().select_related("cost_code", "cost_code__list")
        stored = project_codes.in_bulk([row.pk for row in rows]) if rows else {}
        parent_codes = [row.cost_code.parent_id for row in stored.values()]
        parents = dict(
            self.visible().filter(cost_code__in=parent_codes).values_list("cost_code_id", "pk")
        )
        for row in rows:
            code = stored[row.pk or 0].cost_code
            now: dict[str, tuple[object, ...]] = {
                # Clients send either the last tier or the full code.
                "code": (code.code, code.full_code),
                "name": (code.description,),
                "origin_id": (code.origin_id,),
                # Null is accepted as well: it names no other code.
                "standard_cost_code_id": (code.pk, None),
                "parent_id": (parents.get(code.parent_id or 0), None),
            }
            for name, value in values[id(row)].items():
                if name in now and value not in now[name]:
                    row.refuse({name: [OF_COMPANY.format(f"{code} of {code.list}")]})

    def _add(self, rows: Sequence[SyncRow], values: Mapping[int, Values]) -> None:
        if not rows:
            return
        code_ids = self._codes({id(row): values[id(row)] for row in rows})
        codes = set(code_ids.values())
        if codes:
            cost_codes.add_of_any(codes, project=self.project, by=self.access.user)
        added = dict(self.visible().filter(cost_code__in=codes).values_list("cost_code_id", "pk"))
        for row in rows:
            # A code that became inactive after the lookup was not added.
            row.pk = added.get(code_ids.get(id(row), 0))
            if row.pk is None:
                row.refuse({_named(values[id(row)]): [NOT_OFFERED]})

    def _codes(self, values: Mapping[int, Values]) -> dict[int, int]:
        """id() of a row -> id of the company's code that it names."""
        lists_offered = cost_codes.offered_lists(self.project)
        position = {code_list.pk: number for number, code_list in enumerate(lists_offered)}
        offered = CostCode.objects.filter(list__in=position, is_active=True)
        full = self._full_codes(values)
        by_id = {fields["standard_cost_code_id"] for fields in values.values() if _id(fields)}
        by_origin = {fields["origin_id"] for fields in values.values() if fields.get("origin_id")}
        ids: dict[object, int] = {}
        # If two lists have a code, the first list (the ERP's) wins: it overwrites the others.
        rows = offered.values_list("pk", "list_id", "origin_id", "code_key")
        for matches in (
            rows.filter(pk__in=by_id),
            rows.filter(origin_id__in=by_origin),
            rows.filter(code_key__in=set(full.values())),
        ):
            # A number, a pair and a text: the three kinds of keys cannot collide.
            for pk, _list, origin, code in sorted(matches, key=lambda row: -position[row[1]]):
                ids |= {pk: pk, ("origin", origin): pk, code: pk}
        code_ids: dict[int, int] = {}
        for row, fields in values.items():
            origin_id = fields.get("origin_id")
            lookup: object = _id(fields) or full.get(row)
            # The explicit id first, then the ERP's id, then the code; an empty ERP id is no id.
            if not _id(fields) and ("origin", origin_id) in ids and origin_id:
                lookup = ("origin", origin_id)
            if lookup in ids:
                code_ids[row] = ids[lookup]
        return code_ids

    def _full_codes(self, values: Mapping[int, Values]) -> dict[int, str]:
        """id() of a row -> key of its full code, for rows with a code."""
        parents = {fields["parent_id"] for fields in values.values() if fields.get("parent_id")}
        rows = self.visible().filter(pk__in=parents).values_list("pk", "cost_code__full_code")
        parent_codes = dict(rows) if parents else {}
        keys = {}
        for row, fields in values.items():
            code = fields.get("code", "")
            prefix = parent_codes.get(fields.get("parent_id") or 0, "")
            # With a parent, both the last tier and the full code are taken:
            # docs/design/procore-rest-resources.md, "Standard cost codes".
            if prefix and not fold(code).startswith(fold(prefix) + JOINT):
                code = prefix + JOINT + code
            if code:
                keys[row] = key(code)
        return keys


def _id(values: Values) -> int | None:
    code_id: int | None = values.get("standard_cost_code_id")
    return code_id


def _named(values: Values) -> str:
    """The field by which a row names its code; errors are reported under it."""
    if _id(values):
        return "standard_cost_code_id"
    return "code" if values.get("code") else "origin_id" if values.get("origin_id") else "base"

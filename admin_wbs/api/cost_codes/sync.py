"""Rows of a sync, or the one row of another writing call, as cost codes of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from admin_wbs.api.errors import named
from admin_wbs.cost_codes import bulk_services as bulk_code_services
from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes.bulk_services import CodeRow
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.sendable import Origin
from erpbridge.access.policy import Access
from erpbridge.rest.requests import bodies
from erpbridge.rest.sync import Records, SyncRow, without_refused

LONGEST_DATA = 10_000
ORIGIN = {"origin_id", "origin_data"}
READERS = {
    "code": bodies.any_text,
    "name": bodies.text(CostCode, "description"),
    "parent_id": bodies.whole,
    "origin_id": bodies.identifier(200),
    "origin_data": bodies.long_text(LONGEST_DATA),
}


@contextmanager
def opened(found: CodeList, access: Access) -> Iterator[CodeRecords]:
    """The codes of a list that is held while it is changed. :raises ReadOnly: with the reason."""
    with transaction.atomic():
        records = CodeRecords(list_services.lock_open(found.pk), access)
        yield records
        if records.changed:
            list_services.touch(records.list, by=access.user)


class CodeRecords(Records):
    """The codes of one list, for :func:`erpbridge.rest.sync.answer`.

    ``opened`` is locked by who makes it; :func:`opened` does all of it.
    """

    readers = READERS

    def __init__(self, opened: CodeList, access: Access) -> None:
        self.list, self.access, self.changed = opened, access, False

    def found(self) -> QuerySet[CostCode]:
        """Those that the list has."""
        return self.list.codes.all()

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and change codes, then say what the ERP calls them."""
        if any(ORIGIN & row.given.keys() for row in rows):
            sendable.hold(self.access.account.pk)
        without_refused(rows, self._store)

    def _store(self, rows: Sequence[SyncRow]) -> None:
        values = {id(row): self._read(row) for row in rows}
        readable = [row for row in rows if not row.errors]
        wanted = [(row, self._row(row, values[id(row)])) for row in readable]
        _strip_prefixes(self.list, [one for _row, one in wanted])
        stored = bulk_code_services.store(
            self.list, [one for _row, one in wanted], by=self.access.user
        )
        for row, one in wanted:
            row.pk = one.pk
            row.refuse({named(column): why for column, why in one.errors.items()})
        self._link({row.pk: row for row in readable if row.pk and not row.errors}, values)
        # What was written beside a refused row is taken back.
        self.changed |= stored and not any(row.errors for row in rows)

    def _read(self, row: SyncRow) -> dict[str, Any]:
        values, errors = bodies.read(row.given, READERS)
        row.refuse(errors)
        return values

    def _row(self, row: SyncRow, values: Mapping[str, Any]) -> CodeRow:
        return CodeRow(
            pk=row.pk,
            code=values.get("code"),
            description=values.get("name"),
            parent_id=values.get("parent_id"),
            parent_given="parent_id" in values,
        )

    def _link(self, rows: Mapping[int, SyncRow], values: Mapping[int, Mapping[str, Any]]) -> None:
        """Give codes the ids of the ERP, through the seam's door."""
        wanted = {
            pk: Origin(id=given.get("origin_id"), data=given.get("origin_data"))
            for pk, row in rows.items()
            if ORIGIN & (given := values[id(row)]).keys()
        }
        if wanted:
            for pk, problem in sendable.link(
                list_services.CODE, wanted, access=self.access
            ).items():
                rows[pk].refuse({problem.field: [problem.message]})


def _strip_prefixes(found: CodeList, rows: Sequence[CodeRow]) -> None:
    """Take the parent's full code off codes that were given with it.

    See docs/design/procore-rest-resources.md, "Standard cost codes".
    """
    given = [row for row in rows if row.code is not None]
    above: dict[int, int] = {}
    changed = [row.pk for row in given if row.pk is not None]
    if changed:
        placed = found.codes.filter(pk__in=changed).exclude(parent=None)
        above = dict(placed.values_list("pk", "parent_id"))
    parents = {id(row): row.parent_id if row.pk is None else above.get(row.pk) for row in given}
    wanted = {one for one in parents.values() if one is not None}
    above_of = found.codes.filter(pk__in=wanted).values_list("pk", "full_code")
    known = dict(above_of) if wanted else {}
    read = bodies.text(CostCode, "code")
    for row in given:
        code = bulk_code_services.without_prefix(
            row.code or "", known.get(parents[id(row)] or 0, "")
        )
        try:
            row.code = read(code)
        except ValidationError as error:
            row.errors["code"] = list(error.messages)

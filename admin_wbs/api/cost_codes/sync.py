"""Store the rows of a sync, or the row of another write call, as cost codes of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

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
    # Not yet limited to the column: a code may come with its parent's codes, which are taken off
    # first.
    "code": bodies.any_text,
    "name": bodies.text(CostCode, "description"),
    "parent_id": bodies.whole,
    "origin_id": bodies.identifier(200),
    "origin_data": bodies.long_text(LONGEST_DATA),
}


@contextmanager
def opened(code_list: CodeList, access: Access) -> Iterator[CodeRecords]:
    """Lock the list while its codes are changed, and count the change if there is one.

    :raises ReadOnly: if the list cannot be changed; with the reason.
    """
    with transaction.atomic():
        records = CodeRecords(list_services.lock_open(code_list.pk), access)
        yield records
        # Touched once, at the end: a call that changes nothing must not make open pages stale.
        if records.changed:
            list_services.touch(records.list, by=access.user)


class CodeRecords(Records):
    """The codes of one list, for :func:`erpbridge.rest.sync.answer`.

    The caller locks ``opened``; :func:`opened` does that.
    """

    readers = READERS

    def __init__(self, opened: CodeList, access: Access) -> None:
        self.list, self.access, self.changed = opened, access, False

    def visible(self) -> QuerySet[CostCode]:
        """The codes of the list."""
        return self.list.codes.all()

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and change codes, then store their ERP ids."""
        if any(ORIGIN & row.given.keys() for row in rows):
            # Connections are locked before records (docs/locks.md).
            sendable.hold(self.access.account.pk)
        without_refused(rows, self._store)

    def _store(self, rows: Sequence[SyncRow]) -> None:
        values = {id(row): self._read(row) for row in rows}
        readable = [row for row in rows if not row.errors]
        pairs = [(row, self._row(row, values[id(row)])) for row in readable]
        code_rows = [code_row for _row, code_row in pairs]
        _strip_prefixes(self.list, code_rows)
        stored = bulk_code_services.store(self.list, code_rows, by=self.access.user)
        for row, code_row in pairs:
            row.pk = code_row.pk
            row.refuse({named(column): why for column, why in code_row.errors.items()})
        self._link({row.pk: row for row in readable if row.pk and not row.errors}, values)
        # without_refused rolls the batch back if a row was refused, then stores the others again.
        self.changed |= stored and not any(row.errors for row in rows)

    def _read(self, row: SyncRow) -> bodies.Values:
        values, errors = bodies.read(row.given, READERS)
        row.refuse(errors)
        return values

    def _row(self, row: SyncRow, values: bodies.Values) -> CodeRow:
        return CodeRow(
            pk=row.pk,
            code=values.get("code"),
            description=values.get("name"),
            parent_id=values.get("parent_id"),
            parent_given="parent_id" in values,
        )

    def _link(self, rows: Mapping[int, SyncRow], values: Mapping[int, bodies.Values]) -> None:
        """Store the ERP's ids of codes. Only ``sendable.link`` may write them."""
        origins = {
            pk: Origin(id=fields.get("origin_id"), data=fields.get("origin_data"))
            for pk, row in rows.items()
            # A field that was not sent leaves what is stored; null clears it.
            if ORIGIN & (fields := values[id(row)]).keys()
        }
        if origins:
            for pk, problem in sendable.link(
                list_services.CODE, origins, access=self.access
            ).items():
                rows[pk].refuse({problem.field: [problem.message]})


def _strip_prefixes(code_list: CodeList, rows: Sequence[CodeRow]) -> None:
    """Remove the parent's full code from codes that start with it.

    See docs/design/procore-rest-resources.md, "Standard cost codes".
    """
    with_code = [row for row in rows if row.code is not None]
    stored_parents: dict[int, int] = {}
    changed = [row.pk for row in with_code if row.pk is not None]
    if changed:
        children = code_list.codes.filter(pk__in=changed).exclude(parent=None)
        stored_parents = dict(children.values_list("pk", "parent_id"))
    parents = {
        # A stored code keeps its place, so its own parent counts and not the one that the row
        # names.
        id(row): row.parent_id if row.pk is None else stored_parents.get(row.pk)
        for row in with_code
    }
    parent_ids = {parent_id for parent_id in parents.values() if parent_id is not None}
    rows_above = code_list.codes.filter(pk__in=parent_ids).values_list("pk", "full_code")
    full_codes = dict(rows_above) if parent_ids else {}
    read = bodies.text(CostCode, "code")
    for row in with_code:
        code = bulk_code_services.without_prefix(
            row.code or "", full_codes.get(parents[id(row)] or 0, "")
        )
        try:
            row.code = read(code)
        except ValidationError as error:
            row.errors["code"] = list(error.messages)

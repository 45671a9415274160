"""Creating and changing many cost types at once, each row with its own fate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from django.db import transaction

from admin_wbs import external_ids
from admin_wbs.cost_types.services import COST_TYPE
from admin_wbs.errors import IN_BUDGET_CODE
from admin_wbs.models import CostType, WbsCodeItem
from admin_wbs.rows import Row, put
from admin_wbs.segments import default_structure
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, note
from erpbridge.db.text import key

COLUMNS = ("code", "label", "base_type", "origin_id", "origin_data")
NEEDED = ("code", "label")
FIXED = "cannot be changed: it is one of the seven defaults"


@transaction.atomic
def store(rows: Sequence[Row], *, access: Access) -> None:
    """Create and change cost types of the account; a row that cannot be stored stops no other.

    No two rows are the same cost type. New ones get their ``pk``. What the ERP calls one is set by
    who may import from it (``origin_ids``).
    """
    account = access.account
    default_structure.lock(account.pk)
    stored = {one.pk: one for one in CostType.objects.filter(account=account)}
    used = WbsCodeItem.objects.held("cost_type", (row.pk for row in rows if row.pk))
    for row in rows:
        _check(row, stored, used)
        if why := external_ids.refusal(stored.get(row.pk or 0), row.values, access=access):
            row.refuse("origin_id", why)
    _refuse_taken(rows, stored)
    good = [row for row in rows if not row.errors]
    new = [(row, CostType(account=account, **row.values)) for row in good if row.pk is None]
    CostType.objects.bulk_create([one for _row, one in new])
    for row, one in new:
        row.pk = one.pk
    notes = [_note(one, "created") for _row, one in new]
    notes += [told for _row, one in new for told in _told(one, external_ids.of_new(one))]
    changed = [(stored[row.pk], row.values) for row in good if row.pk in stored]
    notes += [told for one, values in changed for told in _told(one, put(one, values))]
    CostType.objects.bulk_create(
        [one for one, _values in changed],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=COLUMNS,
    )
    note(account.pk, notes, by=access.user)


def _check(row: Row, stored: Mapping[int, CostType], used: Set[int]) -> None:
    if row.pk is None:
        for column in NEEDED:
            if not row.values.get(column) and column not in row.errors:
                row.refuse(column, "is missing")
        return
    one = stored[row.pk]
    if one.is_default and row.values.get("base_type", one.base_type) != one.base_type:
        row.refuse("base_type", FIXED)
    if one.pk in used and row.values.get("code", one.code) != one.code:
        row.refuse("code", f"stays. {IN_BUDGET_CODE}")


def _refuse_taken(rows: Iterable[Row], stored: Mapping[int, CostType]) -> None:
    """One code and one ERP id belong to one cost type; of two rows the first gets it."""
    codes: dict[str, object] = {one.code_key: one.pk for one in stored.values()}
    origins: dict[str, object] = {one.origin_id: one.pk for one in stored.values() if one.origin_id}
    for row in rows:
        if row.errors:
            continue
        me: object = row.pk or row
        code, origin = key(row.values.get("code", "")), row.values.get("origin_id", "")
        if code and codes.get(code, me) != me:
            row.refuse("code", f"Another cost type has the code {row.values['code']}.")
        if origin and origins.get(origin, me) != me:
            row.refuse("origin_id", f"has already been taken by {origins[origin]}")
        if not row.errors:
            codes |= {code: me} if code else {}
            origins |= {origin: me} if origin else {}


def _told(one: CostType, made: Mapping[str, list[Any]]) -> list[Note]:
    own = {name: pair for name, pair in made.items() if name not in external_ids.COLUMNS}
    edited = [_note(one, "edited", own)] if own else []
    return [*edited, *external_ids.notes(COST_TYPE, one.pk, str(one), made)]


def _note(one: CostType, verb: str, made: Mapping[str, Any] | None = None) -> Note:
    return Note(COST_TYPE, one.pk, str(one), verb, data={"changes": dict(made)} if made else {})

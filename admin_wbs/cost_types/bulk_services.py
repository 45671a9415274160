"""Create and change many cost types in one call. A row with errors does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from django.db import transaction

from admin_wbs import external_ids
from admin_wbs.cost_types.services import COST_TYPE
from admin_wbs.errors import IN_BUDGET_CODE
from admin_wbs.models import CostType, WbsCodeItem
from admin_wbs.rows import ValueRow, put
from admin_wbs.segments import default_structure
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, Verb, note
from erpbridge.db.text import key
from erpbridge.json_values import Json
from erpbridge.refusals import TAKEN

COLUMNS = ("code", "label", "base_type", "origin_id", "origin_data")
NEEDED = ("code", "label")
FIXED = "cannot be changed: it is one of the seven defaults"


@transaction.atomic
def store(rows: Sequence[ValueRow], *, access: Access) -> None:
    """Create and change cost types of the account; a row with errors is skipped.

    No two rows may be the same cost type. New rows get their ``pk``. Setting the ERP's id needs the
    permission to import (see :mod:`admin_wbs.external_ids`).
    """
    account = access.account
    # The account's lock, under which the defaults are made, also keeps two calls apart.
    default_structure.lock(account.pk)
    stored = {cost_type.pk: cost_type for cost_type in CostType.objects.filter(account=account)}
    used = WbsCodeItem.objects.used_ids("cost_type", (row.pk for row in rows if row.pk))
    for row in rows:
        _check(row, stored, used)
        if why := external_ids.refusal(stored.get(row.pk or 0), row.values, access=access):
            row.refuse({"origin_id": [why]})
    # Not left to the constraints: one taken code would fail the statement that stores all rows.
    _refuse_taken(rows, stored)
    good = [row for row in rows if not row.errors]
    new = [(row, CostType(account=account, **row.values)) for row in good if row.pk is None]
    CostType.objects.bulk_create([cost_type for _row, cost_type in new])
    for row, cost_type in new:
        row.pk = cost_type.pk
    notes = [_note(cost_type, Verb.CREATED) for _row, cost_type in new]
    for _row, cost_type in new:
        notes += _change_notes(cost_type, external_ids.of_new(cost_type))
    changed = [(stored[row.pk], row.values) for row in good if row.pk in stored]
    for cost_type, values in changed:
        notes += _change_notes(cost_type, put(cost_type, values))
    # Every row exists: an upsert writes them all with one statement.
    CostType.objects.bulk_create(
        [cost_type for cost_type, _values in changed],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=COLUMNS,
    )
    note(account.pk, notes, by=access.user)


def _check(row: ValueRow, stored: Mapping[int, CostType], used: Set[int]) -> None:
    if row.pk is None:
        for column in NEEDED:
            if not row.values.get(column) and column not in row.errors:
                row.refuse({column: ["is missing"]})
        return
    cost_type = stored[row.pk]
    if (
        cost_type.is_default
        and row.values.get("base_type", cost_type.base_type) != cost_type.base_type
    ):
        row.refuse({"base_type": [FIXED]})
    if cost_type.pk in used and row.values.get("code", cost_type.code) != cost_type.code:
        row.refuse({"code": [f"stays. {IN_BUDGET_CODE}"]})


def _refuse_taken(rows: Iterable[ValueRow], stored: Mapping[int, CostType]) -> None:
    """A code or ERP id belongs to one cost type; if two rows want it, the first gets it."""
    types = stored.values()
    # Codes are compared in their folded form, ids of the ERP exactly.
    codes: dict[str, object] = {item.code_key: item.pk for item in types}
    origins: dict[str, object] = {item.origin_id: item.pk for item in types if item.origin_id}
    for row in rows:
        if row.errors:
            continue
        # A new row has no id yet, so the row itself stands for it.
        owner: object = row.pk or row
        code, origin = key(row.values.get("code", "")), row.values.get("origin_id", "")
        if code and codes.get(code, owner) != owner:
            row.refuse({"code": [f"Another cost type has the code {row.values['code']}."]})
        if origin and origins.get(origin, owner) != owner:
            row.refuse({"origin_id": [f"{TAKEN} by {origins[origin]}"]})
        # A row that is refused for its origin id must not keep its code from a later row.
        if not row.errors:
            codes |= {code: owner} if code else {}
            origins |= {origin: owner} if origin else {}


def _change_notes(cost_type: CostType, differences: Mapping[str, list[Json]]) -> list[Note]:
    own = {name: pair for name, pair in differences.items() if name not in external_ids.COLUMNS}
    edited = [_note(cost_type, Verb.EDITED, own)] if own else []
    return [*edited, *external_ids.notes(COST_TYPE, cost_type.pk, str(cost_type), differences)]


def _note(cost_type: CostType, verb: Verb, differences: Mapping[str, Json] | None = None) -> Note:
    return Note(
        COST_TYPE,
        cost_type.pk,
        str(cost_type),
        verb,
        data={"changes": dict(differences)} if differences else {},
    )

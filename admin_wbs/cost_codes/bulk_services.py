"""Create and change many codes of a list in one call. A row with errors does not stop the others.

The rules are those of :mod:`admin_wbs.cost_codes.services`. The number of SQL statements grows with
the number of batches only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from admin_wbs.cost_codes import edits
from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.edits import Obstacle
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import JOINT, MOST_TIERS, full_code
from admin_wbs.tree.bulk_rules import chosen
from erpbridge.access.models import User
from erpbridge.db.batches import chunks
from erpbridge.db.text import key
from erpbridge.rest.requests.rows import Row

MISSING = "is missing"
# The column that names an obstacle, and what stands in front of the reason.
COLUMN = {
    Obstacle.LOCKED: ("base", ""),
    Obstacle.FIXED: ("code", "cannot be changed. "),
    Obstacle.TAKEN: ("code", ""),
}


@dataclass(eq=False)
class CodeRow(Row):
    """The new values of a code; None means no change.

    In ``errors``, ``parent`` is the key for the code's place.
    """

    code: str | None = None
    description: str | None = None
    parent_id: int | None = None
    parent_given: bool = False


@transaction.atomic
def store(opened: CodeList, rows: Sequence[CodeRow], *, by: User) -> bool:
    """Create and change codes; a row with errors is skipped.

    No two rows may be the same code. New rows get their ``pk``. The caller cleans the texts, locks
    the list (:func:`list_services.lock_open`) and touches it afterwards.

    :returns: True if anything was changed.
    """
    ids = {code for row in rows for code in (row.pk, row.parent_id) if code is not None}
    # Parents are looked up along with the codes, in one query per batch.
    codes = chosen(opened.codes.all(), ids)
    for row in rows:
        _check(row, codes)
    new = _new_paths([row for row in rows if row.pk is None and not row.errors], opened, codes)
    created = code_services.store_many(
        opened, [(path, row.description or "") for row, path in new.values()], by=by
    )
    # By the key of the code, because ``store_many`` creates tier by tier and not in the order of
    # rows.
    for code in created:
        new[code.code_key][0].pk = code.pk
    # After the new codes, so that a code cannot be renamed to one that another row creates.
    changed = _change(opened, [row for row in rows if row.pk in codes and not row.errors], by=by)
    return bool(created or changed)


def _check(row: CodeRow, codes: Mapping[int, CostCode]) -> None:
    """Check a row by itself, without the other rows."""
    # A text that is sent empty is missing too: no column may be emptied.
    for column in ("code", "description"):
        value = getattr(row, column)
        if value == "" or (value is None and row.pk is None):
            row.refuse({column: [MISSING]})
    if row.pk is None:
        if row.parent_id is not None:
            _check_parent(row, codes.get(row.parent_id))
    elif row.pk not in codes:
        row.refuse({"id": ["is not a code of this list"]})
    elif row.parent_given and row.parent_id != codes[row.pk].parent_id:
        row.refuse({"parent": ["cannot be changed: a code keeps its place in the tree"]})


def _check_parent(row: CodeRow, parent: CostCode | None) -> None:
    if parent is None:
        row.refuse({"parent": ["is not a code of this list"]})
    elif parent.depth + 1 >= MOST_TIERS:
        row.refuse(
            {"parent": [f"{parent} is of the last tier; a code has at most {MOST_TIERS} tiers"]}
        )
    elif not parent.is_active:
        row.refuse(
            {"parent": [f"{parent} is inactive. Reactivate it before adding codes under it."]}
        )


def _new_paths(
    rows: Iterable[CodeRow], code_list: CodeList, codes: Mapping[int, CostCode]
) -> dict[str, tuple[CodeRow, list[str]]]:
    """Key of a full code -> new row and its path. If two rows want one code, the first gets it."""
    placed: dict[str, tuple[CodeRow, list[str]]] = {}
    for row in rows:
        parent_path = codes[row.parent_id].path if row.parent_id is not None else []
        path = [*parent_path, row.code or ""]
        holder = placed.setdefault(key(full_code(path)), (row, path))
        if holder[0] is not row:
            row.refuse({"code": [f"{full_code(path)} is in this call twice"]})
    for taken_key, description in _holders(code_list, placed).items():
        row, path = placed.pop(taken_key)
        row.refuse({"code": [f"{full_code(path)} is taken by {description}."]})
    return placed


def _holders(code_list: CodeList, code_keys: Iterable[str]) -> dict[str, str]:
    """Key of a full code -> description, for the keys that the list has already."""
    ordered = sorted(code_keys)
    holders: dict[str, str] = {}
    for chunk in chunks(ordered):
        rows = code_list.codes.filter(code_key__in=chunk)
        holders |= dict(rows.values_list("code_key", "description"))
    return holders


def _change(opened: CodeList, rows: Sequence[CodeRow], *, by: User) -> int:
    """Change stored codes, and add to each row why its code was not changed.

    :returns: how many were changed.
    """
    by_id = {row.pk: row for row in rows if row.pk is not None}
    new_values = {pk: _values(row) for pk, row in by_id.items()}
    result = edits.change(opened, new_values, by=by)
    for left in result.refused:
        column, before = COLUMN[left.obstacle]
        by_id[left.record_id].refuse({column: [before + left.why]})
    return result.done


def _values(row: CodeRow) -> dict[str, str]:
    values = {"code": row.code, "description": row.description}
    return {name: value for name, value in values.items() if value is not None}


def without_prefix(code: str, parent_code: str) -> str:
    """Remove the parent's full code from the start of a code, if it is there."""
    # A code that is nothing but the prefix keeps it, rather than becoming empty.
    return code.removeprefix(parent_code + JOINT) or code if parent_code else code

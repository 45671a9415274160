"""Create and change many codes of a list in one call. A row with errors does not stop the others.

The rules are those of :mod:`admin_wbs.cost_codes.services`. The number of SQL statements grows with
the number of batches only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from admin_wbs.models.full_code import JOINT, MOST_TIERS, end_of, full_code
from admin_wbs.models.node import BATCH, SHAPE
from admin_wbs.tree.bulk_rules import chosen
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.audit.services import Note, changes, note
from erpbridge.db.bulk_update import lock_rows
from erpbridge.db.text import key

MISSING = "is missing"
KNOWN = "The ERP knows it, or a code under it, by this code."
USED = "It, or a code under it, is in use on a project."
WAITING = "It, or a code under it, waits for accounting or is being exported. Retrieve it first."


@dataclass
class CodeRow:
    """The new values of a code; None means no change. ``pk`` is None for a new code.

    ``errors`` collects messages by column; ``parent`` is the key for the code's place.
    """

    pk: int | None = None
    code: str | None = None
    description: str | None = None
    parent_id: int | None = None
    parent_given: bool = False
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, column: str, why: str) -> None:
        """Add an error."""
        self.errors.setdefault(column, []).append(why)


@transaction.atomic
def store(opened: CodeList, rows: Sequence[CodeRow], *, by: User) -> bool:
    """Create and change codes; a row with errors is skipped.

    No two rows may be the same code. New rows get their ``pk``. The caller cleans the texts, locks
    the list (:func:`list_services.lock_open`) and touches it afterwards.

    :returns: True if anything was changed.
    """
    ids = {code for row in rows for code in (row.pk, row.parent_id) if code is not None}
    codes = chosen(opened.codes.all(), ids)
    for row in rows:
        _check(row, codes)
    new = _new_paths([row for row in rows if row.pk is None and not row.errors], opened, codes)
    created = code_services.store_many(
        opened, [(path, row.description or "") for row, path in new.values()], by=by
    )
    for code in created:
        new[code.code_key][0].pk = code.pk
    changed = _change(opened, [row for row in rows if row.pk in codes and not row.errors], codes)
    _note_changes(opened, changed, by=by)
    return bool(created or changed)


def _check(row: CodeRow, codes: Mapping[int, CostCode]) -> None:
    """Check a row by itself, without the other rows."""
    for column in ("code", "description"):
        value = getattr(row, column)
        if value == "" or (value is None and row.pk is None):
            row.refuse(column, MISSING)
    if row.pk is None:
        if row.parent_id is not None:
            _check_parent(row, codes.get(row.parent_id))
    elif row.pk not in codes:
        row.refuse("id", "is not a code of this list")
    elif row.parent_given and row.parent_id != codes[row.pk].parent_id:
        row.refuse("parent", "cannot be changed: a code keeps its place in the tree")


def _check_parent(row: CodeRow, parent: CostCode | None) -> None:
    if parent is None:
        row.refuse("parent", "is not a code of this list")
    elif parent.depth + 1 >= MOST_TIERS:
        row.refuse("parent", f"{parent} is of the last tier; a code has at most {MOST_TIERS} tiers")
    elif not parent.is_active:
        row.refuse("parent", f"{parent} is inactive. Reactivate it before adding codes under it.")


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
            row.refuse("code", f"{full_code(path)} is in this call twice")
    for taken_key, description in _holders(code_list, placed).items():
        row, path = placed.pop(taken_key)
        row.refuse("code", f"{full_code(path)} is taken by {description}.")
    return placed


def _holders(code_list: CodeList, code_keys: Iterable[str]) -> dict[str, str]:
    """Key of a full code -> description, for the keys that the list has already."""
    ordered = sorted(code_keys)
    holders: dict[str, str] = {}
    for start in range(0, len(ordered), BATCH):
        rows = code_list.codes.filter(code_key__in=ordered[start : start + BATCH])
        holders |= dict(rows.values_list("code_key", "description"))
    return holders


@dataclass(frozen=True)
class _Changed:
    """A changed code, with its changes; codes that only moved are not among these."""

    code: CostCode
    changes: Mapping[str, list[str]]


def _change(
    code_list: CodeList, rows: Sequence[CodeRow], codes: Mapping[int, CostCode]
) -> list[_Changed]:
    """Store changed values, and the new paths of the codes under a renamed code."""
    differences = {row.pk: _differences(row, codes[row.pk]) for row in rows if row.pk is not None}
    asked = [row for row in rows if differences[row.pk or 0]]
    _check_locks(asked, codes)
    _check_renames(
        [row for row in asked if not row.errors and "code" in differences[row.pk or 0]], codes
    )
    accepted = {row.pk: row for row in asked if row.pk is not None and not row.errors}
    moved = _rename(
        code_list, {pk: row for pk, row in accepted.items() if "code" in differences[pk]}
    )
    changed: list[_Changed] = []
    for pk, row in accepted.items():
        if not row.errors:
            codes[pk].description = row.description or codes[pk].description
            changed.append(_Changed(codes[pk], differences[pk]))
    _write(code_list, {change.code.pk: change.code for change in changed}, moved)
    return changed


def _differences(row: CodeRow, stored: CostCode) -> dict[str, list[str]]:
    values = {"code": row.code, "description": row.description}
    new = {name: value for name, value in values.items() if value is not None}
    return changes({name: getattr(stored, name) for name in new}, new)


def _check_locks(rows: Sequence[CodeRow], codes: Mapping[int, CostCode]) -> None:
    """Refuse changes of codes that wait for accounting or are being exported."""
    locked = [row for row in rows if sendable.is_locked(codes[row.pk or 0])]
    if not locked:
        return
    locks = sendable.locks(list_services.CODE, [codes[row.pk or 0] for row in locked])
    for row in locked:
        lock = locks.get(row.pk or 0)
        row.refuse("base", lock.message if lock else WAITING)


def _check_renames(rows: Sequence[CodeRow], codes: Mapping[int, CostCode]) -> None:
    """Refuse a new code for what the ERP knows by the old one, or a project uses."""
    if not rows:
        return
    list_id = codes[rows[0].pk or 0].list_id
    of_list = CostCode.objects.filter(list=list_id)
    used = ProjectCostCode.objects.filter(cost_code__list=list_id).values("cost_code")
    for why, blocking in (
        (KNOWN, of_list.synced()),
        (USED, of_list.filter(pk__in=used)),
        (WAITING, of_list.filter(sendable.locked())),
    ):
        paths = sorted(blocking.values_list("sort_path", flat=True))
        for row in rows:
            # Everything under a code lies between its sort path and end_of() of it.
            start = codes[row.pk or 0].sort_path
            if bisect_left(paths, start) < bisect_left(paths, end_of(start)):
                row.refuse("code", f"cannot be changed. {why}")


def _rename(code_list: CodeList, rows: dict[int, CodeRow]) -> dict[int, list[str]]:
    """Code id -> its new path, for renamed codes and all codes under them.

    A row that would make two codes equal is refused, and the others are checked again without it.
    """
    if not rows:
        return {}
    stored = list(
        code_list.codes.order_by("depth", "pk").values_list("pk", "parent_id", "code", "path")
    )
    while True:
        paths: dict[int, list[str]] = {}
        moved: dict[int, list[str]] = {}
        renamed_by: dict[int, int] = {}
        for pk, parent, code, before in stored:
            new = (rows[pk].code or code) if pk in rows and not rows[pk].errors else code
            paths[pk] = [*(paths[parent] if parent else []), new]
            if paths[pk] != before:
                moved[pk] = paths[pk]
                renamed_by[pk] = pk if new != code else renamed_by[parent]
        clashing = _clashes(paths, renamed_by)
        if not clashing:
            return moved
        for pk, taken in clashing.items():
            rows[pk].refuse("code", f"{taken} would be there twice")


def _clashes(paths: Mapping[int, Sequence[str]], renamed_by: Mapping[int, int]) -> dict[int, str]:
    """Id of a renamed code -> the full code that would exist twice because of it."""
    holder: dict[str, int] = {}
    clashes: dict[int, str] = {}
    for pk, path in paths.items():
        other = holder.setdefault(key(full_code(path)), pk)
        if other != pk:
            clashes[renamed_by[pk] if pk in renamed_by else renamed_by[other]] = full_code(path)
    return clashes


def _write(
    code_list: CodeList, asked: Mapping[int, CostCode], moved: Mapping[int, Sequence[str]]
) -> None:
    """Update codes in bulk: an upsert in which every row exists already."""
    codes = dict(asked)
    codes |= chosen(code_list.codes.all(), set(moved) - set(asked))
    now = timezone.now()
    lock_rows(CostCode.objects.all(), codes)
    for pk, code in codes.items():
        if pk in moved:
            code.code = moved[pk][-1]
            code.take_path(moved[pk])
        code.revision += 1
        code.updated_at = now
    CostCode.objects.bulk_create(
        codes.values(),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["code", "description", *SHAPE, "revision", "updated_at"],
    )


def _note_changes(code_list: CodeList, changed: Sequence[_Changed], *, by: User) -> None:
    notes = [
        Note(
            list_services.CODE,
            change.code.pk,
            str(change.code),
            "edited",
            data={"changes": dict(change.changes), "revision": change.code.revision},
        )
        for change in changed
    ]
    note(code_list.account_id, notes, by=by)
    sendable.note_edits(
        list_services.CODE, code_list.account_id, [change.code.pk for change in changed]
    )


def without_prefix(code: str, parent_code: str) -> str:
    """Remove the parent's full code from the start of a code, if it is there."""
    return code.removeprefix(parent_code + JOINT) or code if parent_code else code

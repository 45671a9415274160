"""Creating and changing many codes of a list at once, each row with its own fate.

The rules are those of ``codes``; the number of statements grows only with each batch.
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
    """A code as it is to be; what is None stays as it is. ``pk`` is None for a new code.

    ``errors`` gets what stands against it, by column; ``parent`` for its place.
    """

    pk: int | None = None
    code: str | None = None
    description: str | None = None
    parent_id: int | None = None
    parent_given: bool = False
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, column: str, why: str) -> None:
        """Note what stands against the row."""
        self.errors.setdefault(column, []).append(why)


@transaction.atomic
def store(opened: CodeList, rows: Sequence[CodeRow], *, by: User) -> bool:
    """Create and change codes; a row that cannot be stored keeps its reasons and stops no other.

    No two rows are the same code. New ones get their ``pk``. The caller has cleaned the texts, and
    opened the list (:func:`lists.lock_open`) and touches it afterwards.

    :returns: whether anything was changed.
    """
    ids = {one for row in rows for one in (row.pk, row.parent_id) if one is not None}
    known = chosen(opened.codes.all(), ids)
    for row in rows:
        _check(row, known)
    new = _placed([row for row in rows if row.pk is None and not row.errors], opened, known)
    made = code_services.store_many(
        opened, [(path, row.description or "") for row, path in new.values()], by=by
    )
    for one in made:
        new[one.code_key][0].pk = one.pk
    changed = _change(opened, [row for row in rows if row.pk in known and not row.errors], known)
    _note_changes(opened, changed, by=by)
    return bool(made or changed)


def _check(row: CodeRow, known: Mapping[int, CostCode]) -> None:
    """Note what can be said of a row alone."""
    for column in ("code", "description"):
        value = getattr(row, column)
        if value == "" or (value is None and row.pk is None):
            row.refuse(column, MISSING)
    if row.pk is None:
        if row.parent_id is not None:
            _check_parent(row, known.get(row.parent_id))
    elif row.pk not in known:
        row.refuse("id", "is no code of this list")
    elif row.parent_given and row.parent_id != known[row.pk].parent_id:
        row.refuse("parent", "cannot be changed: a code keeps its place in the tree")


def _check_parent(row: CodeRow, above: CostCode | None) -> None:
    if above is None:
        row.refuse("parent", "is no code of this list")
    elif above.depth + 1 >= MOST_TIERS:
        row.refuse("parent", f"{above} is of the last tier; a code has at most {MOST_TIERS} tiers")
    elif not above.is_active:
        row.refuse("parent", f"{above} is inactive. Reactivate it before adding codes under it.")


def _placed(
    rows: Iterable[CodeRow], found: CodeList, known: Mapping[int, CostCode]
) -> dict[str, tuple[CodeRow, list[str]]]:
    """Key of a full code -> new row and its path; of two that want one the first gets it."""
    placed: dict[str, tuple[CodeRow, list[str]]] = {}
    for row in rows:
        above = known[row.parent_id].path if row.parent_id is not None else []
        path = [*above, row.code or ""]
        holder = placed.setdefault(key(full_code(path)), (row, path))
        if holder[0] is not row:
            row.refuse("code", f"{full_code(path)} is in this call twice")
    for taken, description in _holders(found, placed).items():
        row, path = placed.pop(taken)
        row.refuse("code", f"{full_code(path)} is taken by {description}.")
    return placed


def _holders(found: CodeList, wanted: Iterable[str]) -> dict[str, str]:
    """Those keys of full codes that the list has, and the description of each."""
    ordered = sorted(wanted)
    holders: dict[str, str] = {}
    for start in range(0, len(ordered), BATCH):
        some = found.codes.filter(code_key__in=ordered[start : start + BATCH])
        holders |= dict(some.values_list("code_key", "description"))
    return holders


@dataclass(frozen=True)
class _Changed:
    """A code with its new values, and what was changed by whom it was asked for."""

    code: CostCode
    made: Mapping[str, list[str]]


def _change(
    found: CodeList, rows: Sequence[CodeRow], known: Mapping[int, CostCode]
) -> list[_Changed]:
    """Store what differs, and the new paths of what is under a changed code."""
    wanted = {row.pk: _differences(row, known[row.pk]) for row in rows if row.pk is not None}
    asked = [row for row in rows if wanted[row.pk or 0]]
    _check_locks(asked, known)
    _check_renames(
        [row for row in asked if not row.errors and "code" in wanted[row.pk or 0]], known
    )
    going = {row.pk: row for row in asked if row.pk is not None and not row.errors}
    moved = _rename(found, {pk: row for pk, row in going.items() if "code" in wanted[pk]})
    done: list[_Changed] = []
    for pk, row in going.items():
        if not row.errors:
            known[pk].description = row.description or known[pk].description
            done.append(_Changed(known[pk], wanted[pk]))
    _write(found, {one.code.pk: one.code for one in done}, moved)
    return done


def _differences(row: CodeRow, stored: CostCode) -> dict[str, list[str]]:
    given = {"code": row.code, "description": row.description}
    now = {name: value for name, value in given.items() if value is not None}
    return changes({name: getattr(stored, name) for name in now}, now)


def _check_locks(rows: Sequence[CodeRow], known: Mapping[int, CostCode]) -> None:
    """What waits for accounting, or is on its way to the ERP, stays as it is."""
    locked = [row for row in rows if sendable.is_locked(known[row.pk or 0])]
    if not locked:
        return
    words = sendable.locks(list_services.CODE, [known[row.pk or 0] for row in locked])
    for row in locked:
        lock = words.get(row.pk or 0)
        row.refuse("base", lock.message if lock else WAITING)


def _check_renames(rows: Sequence[CodeRow], known: Mapping[int, CostCode]) -> None:
    """What the ERP knows by its code, or a project uses, keeps it."""
    if not rows:
        return
    found = known[rows[0].pk or 0].list_id
    of_list = CostCode.objects.filter(list=found)
    used = ProjectCostCode.objects.filter(cost_code__list=found).values("cost_code")
    for why, holding in (
        (KNOWN, of_list.synced()),
        (USED, of_list.filter(pk__in=used)),
        (WAITING, of_list.filter(sendable.locked())),
    ):
        paths = sorted(holding.values_list("sort_path", flat=True))
        for row in rows:
            begin = known[row.pk or 0].sort_path
            if bisect_left(paths, begin) < bisect_left(paths, end_of(begin)):
                row.refuse("code", f"cannot be changed. {why}")


def _rename(found: CodeList, rows: dict[int, CodeRow]) -> dict[int, list[str]]:
    """Code id -> its new path, of renamed codes and of all under them.

    A row that would give two codes the same full code is refused, and the rest looked at again.
    """
    if not rows:
        return {}
    stored = list(
        found.codes.order_by("depth", "pk").values_list("pk", "parent_id", "code", "path")
    )
    while True:
        paths: dict[int, list[str]] = {}
        moved: dict[int, list[str]] = {}
        cause: dict[int, int] = {}
        for pk, parent, code, before in stored:
            new = (rows[pk].code or code) if pk in rows and not rows[pk].errors else code
            paths[pk] = [*(paths[parent] if parent else []), new]
            if paths[pk] != before:
                moved[pk] = paths[pk]
                cause[pk] = pk if new != code else cause[parent]
        clashing = _clashes(paths, cause)
        if not clashing:
            return moved
        for pk, taken in clashing.items():
            rows[pk].refuse("code", f"{taken} would be there twice")


def _clashes(paths: Mapping[int, Sequence[str]], cause: Mapping[int, int]) -> dict[int, str]:
    """Id of a renamed code -> the full code that it would make a second time."""
    holder: dict[str, int] = {}
    found: dict[int, str] = {}
    for pk, path in paths.items():
        other = holder.setdefault(key(full_code(path)), pk)
        if other != pk:
            found[cause[pk] if pk in cause else cause[other]] = full_code(path)
    return found


def _write(
    found: CodeList, asked: Mapping[int, CostCode], moved: Mapping[int, Sequence[str]]
) -> None:
    """One INSERT for each batch that finds every row there, and so updates them all."""
    picked = dict(asked)
    picked |= chosen(found.codes.all(), set(moved) - set(asked))
    now = timezone.now()
    lock_rows(CostCode.objects.all(), picked)
    for pk, code in picked.items():
        if pk in moved:
            code.code = moved[pk][-1]
            code.take_path(moved[pk])
        code.revision += 1
        code.updated_at = now
    CostCode.objects.bulk_create(
        picked.values(),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["code", "description", *SHAPE, "revision", "updated_at"],
    )


def _note_changes(found: CodeList, changed: Sequence[_Changed], *, by: User) -> None:
    notes = [
        Note(
            list_services.CODE,
            one.code.pk,
            str(one.code),
            "edited",
            data={"changes": dict(one.made), "revision": one.code.revision},
        )
        for one in changed
    ]
    note(found.account_id, notes, by=by)
    sendable.note_edits(list_services.CODE, found.account_id, [one.code.pk for one in changed])


def without_prefix(code: str, above: str) -> str:
    """A code that may have been given with the full code of its parent in front, without it."""
    return code.removeprefix(above + JOINT) or code if above else code

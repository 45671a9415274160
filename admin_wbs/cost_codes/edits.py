"""Change the code or the description of cost codes: of one, or of many at once.

This is the only place that decides whether a code can be changed, and that renames it. The number
of SQL statements grows with the number of batches only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from django.db.models import Min
from django.utils import timezone

from admin_wbs.cost_codes.list_services import CODE
from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from admin_wbs.models.full_code import end_of
from admin_wbs.models.node import BATCH, MOST_FAMILIES, SHAPE
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from admin_wbs.tree import moves
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.db.batches import chunks
from erpbridge.refusals import BulkResult, Left

KNOWN = "The ERP knows it, or a code under it, by this code."
USED = "It, or a code under it, is in use on project {}."
FAMILY_WAITS = (
    "A code under it waits for accounting or is being exported. Retrieve it, or have accounting "
    "reject it, first."
)
WAITS = "It waits for accounting or is being exported. Retrieve it first."
# (sort path, id) of codes, sorted.
Paths = Sequence[tuple[str, int]]


class Obstacle(Enum):
    """What keeps a code from being changed."""

    LOCKED = auto()
    """It waits for accounting or is being exported."""
    FIXED = auto()
    """Its description can be changed, but not its code."""
    TAKEN = auto()
    """The new code, or that of a code under it, is taken."""


@dataclass(frozen=True)
class LeftCode(Left):
    """A code that was not changed; ``obstacle`` is the kind of the reason."""

    obstacle: Obstacle


def change(
    code_list: CodeList, new_values: Mapping[int, Mapping[str, str]], *, by: User | None
) -> BulkResult[LeftCode]:
    """Change codes of a list that the caller has locked, each of them completely or not at all.

    The caller has cleaned the texts, and touches the list afterwards.

    :param new_values: code id -> new values of ``code``, ``description`` or both.
    """
    # Before the rows are locked: whoever writes these values holds the list.
    differences = _differences(code_list, new_values)
    if not differences:
        return BulkResult(0)
    renamed = {pk: new_values[pk]["code"] for pk in differences if "code" in differences[pk]}
    # The list is locked, so no code comes under them meanwhile.
    family_ids = _family_ids(code_list, renamed)
    # From here on nobody sends one of these codes, so what is checked stays true until the end.
    codes = _locked_rows({*differences, *family_ids})
    # A lock keeps the description too, so it is asked before all that keeps the code alone.
    locked = _locked_codes([codes[pk] for pk in differences])
    # Only of codes that get a new one: a description may change while the ERP has the code.
    fixed = fixed_codes([codes[pk] for pk in renamed if pk not in locked])
    paths, taken = moves.rename(
        code_list.codes.all(),
        [codes[pk] for pk in family_ids],
        {pk: code for pk, code in renamed.items() if pk not in {*locked, *fixed}},
    )
    refused = tuple(
        LeftCode(pk, str(codes[pk]), why, obstacle)
        for obstacle, reasons in (
            (Obstacle.LOCKED, locked),
            (Obstacle.FIXED, fixed),
            (Obstacle.TAKEN, taken),
        )
        for pk, why in reasons.items()
    )
    refused_ids = {left.record_id for left in refused}
    changed = {pk: pairs for pk, pairs in differences.items() if pk not in refused_ids}
    for pk in changed:
        codes[pk].description = new_values[pk].get("description", codes[pk].description)
    moves.take_paths(codes.values(), paths)
    # With the codes under a renamed one, whose full codes have changed. These get a new revision,
    # but no event: nobody has edited them.
    _write([codes[pk] for pk in sorted({*changed, *paths})])
    _note(code_list, {pk: codes[pk] for pk in changed}, changed, by=by)
    return BulkResult(len(changed), refused)


def fixed_codes(codes: Sequence[CostCode]) -> dict[int, str]:
    """Code id -> why its code cannot be changed now. Its description can be changed all the same.

    The ERP knows the old code, or is being asked to create codes under it, or a project uses it.
    The codes are of one list.
    """
    reasons: dict[int, str] = {}
    first_uses: dict[int, int] = {}
    for batch in chunks(codes, MOST_FAMILIES):
        # One query per question for the whole batch; the answers are told apart by their sort
        # paths.
        family = CostCode.objects.families(batch)
        known, waiting = _paths(family.synced()), _paths(family.filter(sendable.locked()))
        used = _uses(family)
        for code in batch:
            if _within(known, code):
                reasons[code.pk] = KNOWN
            elif uses := _within(used, code):
                # Of several projects the message names the one that has had the code for longest.
                first_uses[code.pk] = min(use for _path, use in uses)
            # Not the code itself: the caller has asked whether it is locked.
            elif any(pk != code.pk for _path, pk in _within(waiting, code)):
                reasons[code.pk] = FAMILY_WAITS
    return reasons | _in_use(first_uses)


def _differences(
    code_list: CodeList, new_values: Mapping[int, Mapping[str, str]]
) -> dict[int, dict[str, list[str]]]:
    """Code id -> the values that differ from the stored ones."""
    differences = {}
    for batch in chunks(sorted(new_values)):
        for code in code_list.codes.filter(pk__in=batch):
            new = new_values[code.pk]
            differences[code.pk] = changes({name: getattr(code, name) for name in new}, new)
    return {pk: pairs for pk, pairs in differences.items() if pairs}


def _family_ids(code_list: CodeList, ids: Iterable[int]) -> set[int]:
    """The ids of some codes and of all codes under them."""
    rows = [code for batch in chunks(sorted(ids)) for code in code_list.codes.filter(pk__in=batch)]
    return {
        pk
        for chunk in chunks(rows, MOST_FAMILIES)
        for pk in CostCode.objects.families(chunk).values_list("pk", flat=True)
    }


def _locked_rows(ids: Iterable[int]) -> dict[int, CostCode]:
    """Lock codes in the order of their ids (docs/locks.md), and read them as they are now."""
    rows = CostCode.objects.select_for_update(no_key=True).order_by("pk")
    return {code.pk: code for batch in chunks(sorted(ids)) for code in rows.filter(pk__in=batch)}


def _locked_codes(codes: Iterable[CostCode]) -> dict[int, str]:
    """Code id -> why it cannot be changed at all."""
    locked = [code for code in codes if sendable.is_locked(code)]
    locks = sendable.locks(CODE, locked) if locked else {}
    messages = {pk: lock.message for pk, lock in locks.items()}
    return {code.pk: messages.get(code.pk, WAITS) for code in locked}


def _paths(codes: CostCodeQuerySet) -> Paths:
    return sorted(codes.values_list("sort_path", "pk"))


def _uses(family: CostCodeQuerySet) -> Paths:
    """Sort path of a code that projects have, and the id of its first use."""
    uses = ProjectCostCode.objects.filter(cost_code__in=family).order_by()
    return sorted(uses.values_list("cost_code__sort_path").annotate(Min("pk")))


def _within(paths: Paths, code: CostCode) -> Paths:
    """The pairs that lie at or under a code."""
    # A pair of one element sorts before every pair that begins with it.
    first = bisect_left(paths, (code.sort_path,))
    return paths[first : bisect_left(paths, (end_of(code.sort_path),))]


def _in_use(first_uses: Mapping[int, int]) -> dict[int, str]:
    """Code id -> why, by the id of a row of :class:`ProjectCostCode`."""
    rows = ProjectCostCode.objects.select_related("project")
    projects = {
        row.pk: row.project
        for batch in chunks(sorted(set(first_uses.values())))
        for row in rows.filter(pk__in=batch)
    }
    return {pk: USED.format(projects[use]) for pk, use in first_uses.items()}


def _write(codes: Collection[CostCode]) -> None:
    """Update codes in bulk: an upsert in which every row exists already."""
    now = timezone.now()
    for code in codes:
        code.revision += 1
        code.updated_at = now
    # Far smaller statements than the CASE expressions of bulk_update.
    CostCode.objects.bulk_create(
        codes,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["code", "description", *SHAPE, "revision", "updated_at"],
    )


def _note(
    code_list: CodeList,
    codes: Mapping[int, CostCode],
    changed: Mapping[int, Mapping[str, list[str]]],
    *,
    by: User | None,
) -> None:
    notes = [
        Note(
            CODE,
            pk,
            str(code),
            Verb.EDITED,
            data={"changes": dict(changed[pk]), "revision": code.revision},
        )
        for pk, code in codes.items()
    ]
    note(code_list.account_id, notes, by=by)
    sendable.note_edits(CODE, code_list.account_id, list(codes))

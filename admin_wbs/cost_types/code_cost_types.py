"""Which cost types each code of the ERP list is used with.

The ticks are erpbridge's own: they are not sent, so they neither count as a change of the list nor
wait for what is locked. Two people who tick different boxes both get what they ticked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import ReadOnly
from admin_wbs.models import CodeCostType, CodeList, CostCode, CostType
from admin_wbs.models.node import BATCH
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note

Tick = tuple[int, int]  # id of a cost code, id of a cost type
WORDS = {True: "ticked", False: "not ticked"}


def refusal(found: CodeList) -> str:
    """Why no cost types can be ticked for the codes of a list; empty where they can."""
    if not found.is_erp:
        return "Cost types are ticked for the codes of the ERP Standard Cost Codes list only."
    present = list_services.erp_list(found.account_id)
    if found.awaits_erp and present is None:
        return list_services.AWAITS
    return "" if present == found else list_services.DISCONNECTED


def rows(found: CodeList) -> CostCodeQuerySet:
    """The codes with a row in the matrix."""
    return CostCode.objects.filter(list=found, is_active=True)


def ticks_of(codes: Sequence[CostCode]) -> set[Tick]:
    """What is ticked for some codes."""
    ticked = CodeCostType.objects.filter(code__in=[code.pk for code in codes])
    return set(ticked.values_list("code", "cost_type"))


@transaction.atomic
def tick(found: CodeList, *, on: Collection[Tick], off: Collection[Tick], by: User) -> int:
    """Tick and untick single boxes; gives how many changed.

    Codes of another list and cost types of another account, or that have been deleted, are left
    out. :raises ReadOnly: where the list takes no ticks.
    """
    _open(found)
    known = _known(found, {*on, *off})
    there = ticks_of(list(known[0].values()))
    new = [pair for pair in dict.fromkeys(on) if pair not in there and _is_known(pair, known)]
    old = [pair for pair in dict.fromkeys(off) if pair in there and _is_known(pair, known)]
    _store(new)
    for code, cost_type in old:
        CodeCostType.objects.filter(code=code, cost_type=cost_type).delete()
    notes = [_note(known, pair, ticked=True) for pair in new]
    notes += [_note(known, pair, ticked=False) for pair in old]
    note(found.account_id, notes, by=by)
    return len(notes)


@transaction.atomic
def tick_column(found: CodeList, cost_type: CostType, *, words: str, ticked: bool, by: User) -> int:
    """Tick or untick a cost type for every code that matches the search; gives how many changed.

    None does where the cost type has been deleted. :raises ReadOnly: where the list takes no ticks.
    """
    _open(found)
    if not CostType.objects.select_for_update(no_key=True).filter(pk=cost_type.pk):
        return 0
    codes = rows(found).search(words)
    if ticked:
        missing = without(codes, cost_type).order_by("pk").values_list("pk", flat=True)
        changed = _store([(code, cost_type.pk) for code in missing])
    else:
        having = CodeCostType.objects.filter(cost_type=cost_type, code__in=codes)
        changed = having.delete()[0]
    if changed:
        text = f"{WORDS[ticked]} for {changed:,} code{'' if changed == 1 else 's'}"
        data = {"changes": {f"Cost type {cost_type}": ["", text]}}
        note(
            found.account_id,
            [Note(list_services.LIST, found.pk, found.name, "edited", data=data)],
            by=by,
        )
    return changed


def without(codes: CostCodeQuerySet, cost_type: CostType) -> CostCodeQuerySet:
    """Those of some codes for which the cost type is not ticked."""
    ticked = CodeCostType.objects.filter(code=OuterRef("pk"), cost_type=cost_type)
    return codes.filter(~Exists(ticked))


def _open(found: CodeList) -> None:
    why = refusal(list_services.lock(found.pk))
    if why:
        raise ReadOnly(why)


Known = tuple[dict[int, CostCode], dict[int, CostType]]


def _known(found: CodeList, pairs: Iterable[Tick]) -> Known:
    """The codes and cost types of some ticks, as far as they belong to the list's account."""
    code_ids = sorted({code for code, _ in pairs})
    codes: dict[int, CostCode] = {}
    for start in range(0, len(code_ids), BATCH):
        codes |= rows(found).in_bulk(code_ids[start : start + BATCH])
    mine = CostType.objects.filter(account=found.account_id).select_for_update(no_key=True)
    return codes, {one.pk: one for one in mine}


def _is_known(pair: Tick, known: Known) -> bool:
    return pair[0] in known[0] and pair[1] in known[1]


def _store(pairs: Sequence[Tick]) -> int:
    made = [CodeCostType(code_id=code, cost_type_id=cost_type) for code, cost_type in pairs]
    return len(CodeCostType.objects.bulk_create(made, batch_size=BATCH))


def _note(known: Known, pair: Tick, *, ticked: bool) -> Note:
    code, cost_type = known[0][pair[0]], known[1][pair[1]]
    data = {"changes": {f"Cost type {cost_type}": [WORDS[not ticked], WORDS[ticked]]}}
    return Note(list_services.CODE, code.pk, str(code), "edited", data=data)

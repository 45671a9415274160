"""Which cost types are enabled for each code of the ERP list.

Ticks exist in erpbridge only and are not sent, so they do not change the list's revision and are
possible while codes are locked. Two people who tick different boxes do not overwrite each other.
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
from erpbridge.audit.services import Note, Verb, note
from erpbridge.db.batches import chunks

Tick = tuple[int, int]  # id of a cost code, id of a cost type
WORDS = {True: "ticked", False: "not ticked"}


def refusal(code_list: CodeList) -> str | None:
    """Why no cost types can be ticked for the codes of a list; None if they can."""
    if not code_list.is_erp:
        return "Cost types are ticked for the codes of the ERP Standard Cost Codes list only."
    erp_code_list = list_services.erp_list(code_list.account_id)
    if code_list.awaits_erp and erp_code_list is None:
        return list_services.AWAITS
    return None if erp_code_list == code_list else list_services.DISCONNECTED


def rows(code_list: CodeList) -> CostCodeQuerySet:
    """The codes that have a row in the matrix."""
    return CostCode.objects.filter(list=code_list, is_active=True)


def ticks_of(codes: Sequence[CostCode]) -> set[Tick]:
    """The ticks of some codes."""
    ticked = CodeCostType.objects.filter(code__in=[code.pk for code in codes])
    return set(ticked.values_list("code", "cost_type"))


@transaction.atomic
def tick(code_list: CodeList, *, on: Collection[Tick], off: Collection[Tick], by: User) -> int:
    """Tick and untick boxes; returns how many changed.

    Codes of another list, cost types of another account, and deleted ones are ignored.

    :raises ReadOnly: if the list takes no ticks.
    """
    _lock_open(code_list)
    records = _records(code_list, {*on, *off})
    existing = ticks_of(list(records[0].values()))
    # A box that somebody else has ticked already is no change and gets no event.
    new = [pair for pair in dict.fromkeys(on) if pair not in existing and _exist(pair, records)]
    old = [pair for pair in dict.fromkeys(off) if pair in existing and _exist(pair, records)]
    _store(new)
    for code, cost_type in old:
        CodeCostType.objects.filter(code=code, cost_type=cost_type).delete()
    notes = [_note(records, pair, ticked=True) for pair in new]
    notes += [_note(records, pair, ticked=False) for pair in old]
    note(code_list.account_id, notes, by=by)
    return len(notes)


@transaction.atomic
def tick_column(
    code_list: CodeList, cost_type: CostType, *, words: str, ticked: bool, by: User
) -> int:
    """Tick or untick a cost type for every code that matches; returns how many changed.

    Nothing changes if the cost type was deleted. :raises ReadOnly: if the list takes no ticks.
    """
    _lock_open(code_list)
    # Locked, so that it is not deleted while boxes of it are ticked.
    if not CostType.objects.select_for_update(no_key=True).filter(pk=cost_type.pk):
        return 0
    codes = rows(code_list).search(words)
    if ticked:
        missing = without(codes, cost_type).order_by("pk").values_list("pk", flat=True)
        changed = _store([(code, cost_type.pk) for code in missing])
    else:
        ticks = CodeCostType.objects.filter(cost_type=cost_type, code__in=codes)
        changed = ticks.delete()[0]
    if changed:
        # One event of the list: an event for each of thousands of codes would say no more.
        text = f"{WORDS[ticked]} for {changed:,} code{'' if changed == 1 else 's'}"
        data = {"changes": {f"Cost type {cost_type}": ["", text]}}
        note(
            code_list.account_id,
            [Note(list_services.LIST, code_list.pk, code_list.name, Verb.EDITED, data=data)],
            by=by,
        )
    return changed


def without(codes: CostCodeQuerySet, cost_type: CostType) -> CostCodeQuerySet:
    """The codes for which the cost type is not ticked."""
    ticked = CodeCostType.objects.filter(code=OuterRef("pk"), cost_type=cost_type)
    return codes.filter(~Exists(ticked))


def _lock_open(code_list: CodeList) -> None:
    why = refusal(list_services.lock(code_list.pk))
    if why:
        raise ReadOnly(why)


Records = tuple[dict[int, CostCode], dict[int, CostType]]


def _records(code_list: CodeList, pairs: Iterable[Tick]) -> Records:
    """The codes and cost types of some ticks, if they belong to the list's account."""
    code_ids = sorted({code for code, _ in pairs})
    codes: dict[int, CostCode] = {}
    for chunk in chunks(code_ids):
        codes |= rows(code_list).in_bulk(chunk)
    # Locked, so that none is deleted while boxes of it are ticked.
    types = CostType.objects.select_for_update(no_key=True).order_by("pk")
    of_account = types.filter(account=code_list.account_id)
    return codes, {cost_type.pk: cost_type for cost_type in of_account}


def _exist(pair: Tick, records: Records) -> bool:
    return pair[0] in records[0] and pair[1] in records[1]


def _store(pairs: Sequence[Tick]) -> int:
    created = [CodeCostType(code_id=code, cost_type_id=cost_type) for code, cost_type in pairs]
    return len(CodeCostType.objects.bulk_create(created, batch_size=BATCH))


def _note(records: Records, pair: Tick, *, ticked: bool) -> Note:
    code, cost_type = records[0][pair[0]], records[1][pair[1]]
    data = {"changes": {f"Cost type {cost_type}": [WORDS[not ticked], WORDS[ticked]]}}
    return Note(list_services.CODE, code.pk, str(code), Verb.EDITED, data=data)

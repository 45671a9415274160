"""All writes to the items of custom segments, by the rules of cost codes without an ERP's.

Every function locks the segment first, so that of two people who change one tree one waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from admin_wbs.errors import INSTEAD, Outcome, SegmentRefused, StaleItem
from admin_wbs.models import Segment, SegmentItem, WbsCodeItem
from admin_wbs.models.full_code import MOST_TIERS
from admin_wbs.models.node import BATCH, SHAPE
from admin_wbs.tree.bulk_rules import (
    Sorted,
    check_below,
    chosen,
    delete_deepest_first,
    has_children,
    switch,
    to_deactivate,
    to_delete,
    to_reactivate,
)
from erpbridge.access.models import User
from erpbridge.audit.services import Note, changes, note

ITEM = "segment_item"


@transaction.atomic
def add(
    segment: Segment, *, code: str, description: str, by: User, parent: SegmentItem | None = None
) -> SegmentItem:
    """A new item, of the first tier or under ``parent``.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    :raises SegmentRefused: where the segment or the parent has gone, or takes nothing below it.
    """
    stored = _locked(segment)
    above = _parent(stored, parent)
    made = SegmentItem(segment=stored, parent=above, description=description.strip())
    made.place(code.strip(), above)
    _check(made)
    made.save()
    note(stored.account_id, [_note(made, "created")], by=by)
    return made


@transaction.atomic
def edit(item: SegmentItem, *, values: Mapping[str, str], seen: int, by: User) -> SegmentItem:
    """Change code, description or both; ``seen`` is the revision the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises StaleItem: when somebody else has edited the item since.
    :raises SegmentRefused: where it has been deleted, or its code cannot be changed.
    """
    segment = _locked(item.segment)
    rows = SegmentItem.objects.select_related("parent")
    stored: SegmentItem | None = rows.filter(pk=item.pk).first()
    if stored is None:
        raise SegmentRefused(f"{item} has been deleted.")
    if stored.revision != seen:
        raise StaleItem(f"{stored} was changed since you opened the page. Look at it as it is now.")
    cleaned = {name: value.strip() for name, value in values.items()}
    changed = changes({name: getattr(stored, name) for name in cleaned}, cleaned)
    if not changed:
        return stored
    below = list(SegmentItem.objects.under(stored)) if "code" in changed else []
    if "code" in changed and _used([stored, *below]):
        raise SegmentRefused(f"The code of {stored} stays: a budget code uses it, or one under it.")
    stored.description = cleaned.get("description", stored.description)
    stored.place(cleaned.get("code", stored.code), stored.parent)
    stored.revision += 1
    _check(stored)
    check_below(SegmentItem.objects.filter(segment=segment), stored, below)
    stored.save()
    _follow(stored, below)
    note(segment.account_id, [_note(stored, "edited", {"changes": changed})], by=by)
    return stored


@transaction.atomic
def deactivate(segment: Segment, ids: Iterable[int], *, by: User) -> Outcome:
    """Make items inactive: no longer offered. One stays while items under it are active."""
    stored = _locked(segment)
    rows = SegmentItem.objects.all()
    going = to_deactivate(rows, chosen(stored.items.all(), ids), noun="Items")
    return _switch(stored, going, active=False, by=by)


@transaction.atomic
def reactivate(segment: Segment, ids: Iterable[int], *, by: User) -> Outcome:
    """Make items active again. One under an inactive item waits for that."""
    stored = _locked(segment)
    coming = to_reactivate(chosen(stored.items.all(), ids))
    return _switch(stored, coming, active=True, by=by)


@transaction.atomic
def delete(segment: Segment, ids: Iterable[int], *, by: User) -> Outcome:
    """Delete items that nothing uses, the deepest first."""
    stored = _locked(segment)
    rows = SegmentItem.objects.all()
    picked = chosen(stored.items.all(), ids)
    uses = WbsCodeItem.objects.uses("item", picked)
    kept = {pk: f"{why} {INSTEAD}" for pk, why in uses.items()}
    sorted_out = to_delete(rows, picked, noun="Items", kept=kept)
    delete_deepest_first(rows, sorted_out.going)
    note(stored.account_id, [_note(item, "deleted") for item in sorted_out.going], by=by)
    return Outcome(len(sorted_out.going), sorted_out.left)


def usage(item: SegmentItem) -> str:
    """What keeps an item from being deleted; empty for nothing."""
    if item.children.exists():
        return has_children("Items")
    why = WbsCodeItem.objects.uses("item", [item.pk]).get(item.pk)
    return f"{why} {INSTEAD}" if why else ""


def _used(items: Iterable[SegmentItem]) -> set[int]:
    return WbsCodeItem.objects.held("item", (one.pk for one in items))


def _locked(segment: Segment) -> Segment:
    """:raises SegmentRefused: when the segment has gone."""
    rows = Segment.objects.select_for_update(no_key=True)
    stored: Segment | None = rows.filter(pk=segment.pk, kind=Segment.Kind.CUSTOM).first()
    if stored is None:
        raise SegmentRefused(f"{segment} has been deleted, or has no items of its own.")
    return stored


def _parent(segment: Segment, parent: SegmentItem | None) -> SegmentItem | None:
    if parent is None:
        return None
    if not segment.tiered:
        raise SegmentRefused(f"{segment} is flat: nothing can go under an item.")
    above: SegmentItem | None = segment.items.filter(pk=parent.pk).first()
    if above is None:
        raise SegmentRefused("The item it was to go under has been deleted.")
    if above.depth + 1 >= MOST_TIERS:
        raise SegmentRefused(f"A segment has at most {MOST_TIERS} tiers; {above} is the last one.")
    return above


def _check(item: SegmentItem) -> None:
    """:raises ValidationError: by field."""
    item.full_clean(exclude=["path", "full_code", "sort_path"], validate_constraints=False)
    same = SegmentItem.objects.filter(segment=item.segment_id, code_key=item.code_key)
    holder = same.exclude(pk=item.pk).first()
    if holder is not None:
        raise ValidationError({"code": f"{item.full_code} is taken by {holder.description}."})


def _follow(moved: SegmentItem, below: list[SegmentItem]) -> None:
    """Write the new code into the paths of everything below."""
    for one in below:
        one.take_path([*moved.path, *one.path[len(moved.path) :]])
        one.revision += 1
    SegmentItem.objects.bulk_update(below, [*SHAPE, "revision"], batch_size=BATCH)


def _switch(
    segment: Segment, sorted_out: Sorted[SegmentItem], *, active: bool, by: User
) -> Outcome:
    switch(SegmentItem.objects.all(), sorted_out.going, active=active)
    data = {"changes": {"is_active": [not active, active]}}
    note(segment.account_id, [_note(item, "edited", data) for item in sorted_out.going], by=by)
    return Outcome(len(sorted_out.going), sorted_out.left)


def _note(item: SegmentItem, verb: str, data: Mapping[str, Any] | None = None) -> Note:
    return Note(ITEM, item.pk, str(item), verb, data=data or {})

"""All writes to items of custom segments, with the rules of cost codes but without an ERP.

Every function locks the segment first, so that two people who change a tree wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from admin_wbs.errors import INSTEAD, SegmentRefused, StaleItem
from admin_wbs.models import Segment, SegmentItem, WbsCodeItem
from admin_wbs.models.full_code import MOST_TIERS
from admin_wbs.models.node import BATCH, SHAPE
from admin_wbs.tree import moves
from admin_wbs.tree.bulk_rules import (
    Sorted,
    chosen,
    delete_deepest_first,
    switch,
    to_deactivate,
    to_delete,
    to_reactivate,
)
from erpbridge.access.models import User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.json_values import Json
from erpbridge.refusals import BulkResult, Left

ITEM = "segment_item"


@transaction.atomic
def add(
    segment: Segment, *, code: str, description: str, by: User, parent: SegmentItem | None = None
) -> SegmentItem:
    """Add an item in the first tier or under ``parent``.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    :raises SegmentRefused: if the segment or the parent was deleted, or cannot have children.
    """
    stored = _locked(segment)
    # Read again under the lock, because the parent may have been deleted since.
    stored_parent = _parent(stored, parent)
    created = SegmentItem(segment=stored, parent=stored_parent, description=description.strip())
    created.place(code.strip(), stored_parent)
    _check(created)
    created.save()
    note(stored.account_id, [_note(created, Verb.CREATED)], by=by)
    return created


@transaction.atomic
def edit(item: SegmentItem, *, values: Mapping[str, str], seen: int, by: User) -> SegmentItem:
    """Change code, description or both; ``seen`` is the revision that the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises StaleItem: if somebody else has edited the item since.
    :raises SegmentRefused: if it has been deleted, or its code cannot be changed.
    """
    segment = _locked(item.segment)
    rows = SegmentItem.objects.select_related("parent")
    stored: SegmentItem | None = rows.filter(pk=item.pk).first()
    if stored is None:
        raise SegmentRefused(f"{item} has been deleted.")
    if stored.revision != seen:
        raise StaleItem(
            f"{stored} was changed since you opened the page. Review the current version."
        )
    cleaned = {name: value.strip() for name, value in values.items()}
    changed = changes({name: getattr(stored, name) for name in cleaned}, cleaned)
    # No new revision, so that nobody's open page becomes stale.
    if not changed:
        return stored
    family = [stored]
    if "code" in changed:
        # Its code is a part of the codes under it.
        family += SegmentItem.objects.under(stored)
        _rename(segment, family, cleaned["code"])
    stored.description = cleaned.get("description", stored.description)
    _check_values(stored)
    # Those under it as well: pages that show their old codes are stale.
    now = timezone.now()
    for row in family:
        row.revision += 1
        row.updated_at = now
    SegmentItem.objects.bulk_update(
        family, ["code", "description", *SHAPE, "revision", "updated_at"], batch_size=BATCH
    )
    note(segment.account_id, [_note(stored, Verb.EDITED, {"changes": changed})], by=by)
    return stored


@transaction.atomic
def deactivate(segment: Segment, ids: Iterable[int], *, by: User) -> BulkResult[Left]:
    """Make items inactive: not offered any more. An item stays while items under it are active.

    :raises SegmentRefused: if the segment has been deleted.
    """
    stored = _locked(segment)
    rows = SegmentItem.objects.all()
    selection = to_deactivate(rows, chosen(stored.items.all(), ids), noun="Items")
    return _switch(stored, selection, active=False, by=by)


@transaction.atomic
def reactivate(segment: Segment, ids: Iterable[int], *, by: User) -> BulkResult[Left]:
    """Make items active again. An item under an inactive one stays inactive.

    :raises SegmentRefused: if the segment has been deleted.
    """
    stored = _locked(segment)
    selection = to_reactivate(chosen(stored.items.all(), ids))
    return _switch(stored, selection, active=True, by=by)


@transaction.atomic
def delete(segment: Segment, ids: Iterable[int], *, by: User) -> BulkResult[Left]:
    """Delete items that nothing uses, the deepest first.

    :raises SegmentRefused: if the segment has been deleted.
    """
    stored = _locked(segment)
    rows = SegmentItem.objects.all()
    items = chosen(stored.items.all(), ids)
    uses = WbsCodeItem.objects.uses("item", items)
    # A used item would leave budget codes without a part; inactive, it is only not offered.
    kept = {pk: f"{why} {INSTEAD}" for pk, why in uses.items()}
    sorted_out = to_delete(rows, items, noun="Items", kept=kept)
    delete_deepest_first(rows, sorted_out.allowed)
    note(stored.account_id, [_note(item, Verb.DELETED) for item in sorted_out.allowed], by=by)
    return BulkResult(len(sorted_out.allowed), sorted_out.refused)


def _locked(segment: Segment) -> Segment:
    """Lock the segment. :raises SegmentRefused: if it was deleted."""
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
    stored: SegmentItem | None = segment.items.filter(pk=parent.pk).first()
    if stored is None:
        raise SegmentRefused("The item it was to go under has been deleted.")
    if stored.depth + 1 >= MOST_TIERS:
        raise SegmentRefused(f"A segment has at most {MOST_TIERS} tiers; {stored} is the last one.")
    return stored


def _check(item: SegmentItem) -> None:
    """:raises ValidationError: by field."""
    _check_values(item)
    same = SegmentItem.objects.filter(segment=item.segment_id, code_key=item.code_key)
    holder = same.exclude(pk=item.pk).first()
    if holder is not None:
        raise ValidationError({"code": f"{item.full_code} is taken by {holder.description}."})


def _check_values(item: SegmentItem) -> None:
    """:raises ValidationError: by field, for a value that is missing or too long."""
    item.full_clean(exclude=["path", "full_code", "sort_path"], validate_constraints=False)


def _rename(segment: Segment, family: Sequence[SegmentItem], code: str) -> None:
    """Give the first of the items a new code, in memory; the others are those under it.

    :raises SegmentRefused: if a budget code uses one of them.
    :raises ValidationError: if a code is taken.
    """
    item = family[0]
    if WbsCodeItem.objects.used_ids("item", (row.pk for row in family)):
        raise SegmentRefused(f"The code of {item} stays: a budget code uses it, or one under it.")
    paths, taken = moves.rename(segment.items.all(), family, {item.pk: code})
    if taken:
        raise ValidationError({"code": taken[item.pk]})
    moves.take_paths(family, paths)


def _switch(
    segment: Segment, sorted_out: Sorted[SegmentItem], *, active: bool, by: User
) -> BulkResult[Left]:
    switch(SegmentItem.objects.all(), sorted_out.allowed, active=active)
    data = {"changes": {"is_active": [not active, active]}}
    note(segment.account_id, [_note(item, Verb.EDITED, data) for item in sorted_out.allowed], by=by)
    return BulkResult(len(sorted_out.allowed), sorted_out.refused)


def _note(item: SegmentItem, verb: Verb, data: Mapping[str, Json] | None = None) -> Note:
    return Note(ITEM, item.pk, str(item), verb, data=data or {})

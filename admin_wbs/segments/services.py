"""All writes to segments, and the reasons why an action is not possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import SegmentRefused
from admin_wbs.models import Segment, SegmentItem, WbsCodeItem
from admin_wbs.segments import default_structure
from admin_wbs.tree.bulk_rules import delete_deepest_first
from erp_integrations import sendable
from erpbridge.access.models import Account, Project, User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.json_values import Json

SEGMENT = "segment"
# docs/design/work-breakdown-structure.md, "Segments and budget codes".
MOST_CUSTOM = 10
EDITABLE = ("name", "project_items", "project_deletes")


def erp_refusal(account_id: int) -> str | None:
    """Why the connected ERP does not allow custom segments; None if it does."""
    connection = sendable.connected(account_id, list_services.CODE)
    if connection is None or connection.custom_segments:
        return None
    return (
        f"{connection.label} takes no custom segments: its budget codes have nothing that a "
        "segment beside cost code, cost type and sub job could go to."
    )


def add_refusal(account_id: int) -> str | None:
    """Why the account cannot add a custom segment now; None if it can."""
    custom = Segment.objects.filter(account=account_id, kind=Segment.Kind.CUSTOM).count()
    if custom >= MOST_CUSTOM:
        return f"An account has at most {MOST_CUSTOM} custom segments; this one has {custom}."
    return erp_refusal(account_id)


@transaction.atomic
def add(
    account: Account,
    *,
    name: str,
    tiered: bool,
    by: User,
    project_items: bool = False,
    project_deletes: bool = False,
) -> Segment:
    """Add a custom segment at the end of the structure.

    :raises ValidationError: for an invalid name, or one that is taken.
    :raises SegmentRefused: with the reason of :func:`add_refusal`.
    """
    default_structure.lock(account.pk)
    # Under the lock, so that two requests do not both add the last one allowed.
    why = add_refusal(account.pk)
    if why:
        raise SegmentRefused(why)
    created = Segment(
        account=account,
        kind=Segment.Kind.CUSTOM,
        name=name.strip(),
        tiered=tiered,
        position=_end(account.pk),
        project_items=project_items,
        project_deletes=project_deletes,
    )
    _save(created)
    _note(created, Verb.CREATED, by=by)
    return created


@transaction.atomic
def change(segment: Segment, *, values: Mapping[str, object], by: User) -> None:
    """Change name and switches of a custom segment, but not flat or tiered.

    :raises ValidationError: for an invalid name, or one that is taken.
    :raises SegmentRefused: for a default segment, or one that has been deleted.
    """
    stored = _locked(segment)
    if not stored.is_custom:
        raise SegmentRefused(f"{stored} is a default segment; its settings cannot be changed.")
    before = {name: getattr(stored, name) for name in EDITABLE}
    changed = changes(before, {name: values[name] for name in EDITABLE if name in values})
    if not changed:
        return
    for name, (_old, new) in changed.items():
        setattr(stored, name, new.strip() if name == "name" else new)
    _save(stored, update_fields=list(changed))
    _note(stored, Verb.EDITED, by=by, data={"changes": changed})


@transaction.atomic
def enable(segment: Segment, *, on: bool, by: User) -> None:
    """Add Sub Job at the end of the structure, or remove it; existing projects do not change.

    :raises SegmentRefused: for any other segment.
    """
    stored = _locked(segment)
    if stored.kind != Segment.Kind.SUB_JOB:
        raise SegmentRefused(f"{stored} is always a part of the budget code.")
    if stored.is_enabled == on:
        return
    # At the end, wherever it was before: its former place may be another segment's by now.
    stored.position = _end(stored.account_id) if on else None
    stored.save(update_fields=["position"])
    _note(stored, Verb.EDITED, by=by, data={"changes": {"is_enabled": [not on, on]}})


@transaction.atomic
def move(segment: Segment, *, step: int, by: User) -> None:
    """Swap a segment with its neighbor (``step`` -1: previous, 1: next); at an end it stays.

    :raises SegmentRefused: for one that is not in the structure, or has been deleted.
    """
    stored = _locked(segment)
    order = list(Segment.objects.structure(stored.account_id))
    if stored not in order:
        raise SegmentRefused(f"{stored} is not in the structure.")
    place = order.index(stored)
    other = place + step
    if not 0 <= other < len(order):
        return
    before = default_structure.JOINT.join(item.name for item in order)
    order[place], order[other] = order[other], order[place]
    _arrange(stored, order, before, by=by)


@transaction.atomic
def arrange(account: Account, ids: Sequence[int], *, by: User) -> None:
    """Put the segments of the structure into the order of ``ids``.

    :raises SegmentRefused: unless ``ids`` are the segments of the structure, each once.
    """
    default_structure.lock(account.pk)
    before = list(Segment.objects.structure(account.pk))
    if sorted(ids) != sorted(item.pk for item in before):
        raise SegmentRefused("Name every segment of the structure once, and no other.")
    order = sorted(before, key=lambda item: ids.index(item.pk))
    if order != before:
        names = default_structure.JOINT.join(item.name for item in before)
        # The event needs a subject: the first segment that has another place.
        moved = next(new for old, new in zip(before, order, strict=True) if old != new)
        _arrange(moved, order, names, by=by)


def _arrange(moved: Segment, order: Sequence[Segment], before: str, *, by: User) -> None:
    for position, segment in enumerate(order, start=1):
        segment.position = position
    Segment.objects.bulk_update(order, ["position"])
    after = default_structure.JOINT.join(segment.name for segment in order)
    _note(moved, Verb.EDITED, by=by, data={"changes": {"structure": [before, after]}})


def delete_refusal(segment: Segment) -> str | None:
    """Why a segment cannot be deleted; None if it can."""
    if not segment.is_custom:
        return f"{segment} is a default segment and cannot be deleted."
    # Asked first: a budget code keeps its segment although the project's structure has left it.
    if why := WbsCodeItem.objects.uses("segment", [segment.pk]).get(segment.pk):
        return f"{why} Budget codes are never deleted, so the segment stays."
    projects = Project.objects.filter(segments__segment=segment).order_by("name", "pk")
    count = projects.count()
    if not count:
        return None
    more = f" and {count - 1} more" if count > 1 else ""
    return f"It is in the budget code structure of {projects[0]}{more}."


@transaction.atomic
def delete(segment: Segment, *, by: User) -> None:
    """Delete a custom segment with its items. :raises SegmentRefused: with the reason."""
    stored = _locked(segment)
    why = delete_refusal(stored)
    if why:
        raise SegmentRefused(why)
    items = list(stored.items.all())
    delete_deepest_first(SegmentItem.objects.all(), items)
    # Before the deletion, which takes the id off the row.
    _note(stored, Verb.DELETED, by=by, data={"items": len(items)})
    stored.delete()


def _locked(segment: Segment) -> Segment:
    """Lock the account and read the segment. :raises SegmentRefused: if it was deleted."""
    # The account and not the segment: moving one changes the positions of others.
    default_structure.lock(segment.account_id)
    stored: Segment | None = Segment.objects.filter(pk=segment.pk).first()
    if stored is None:
        raise SegmentRefused(f"{segment} has been deleted.")
    return stored


def _end(account_id: int) -> int:
    last = Segment.objects.structure(account_id).last()
    return (last.position or 0) + 1 if last else 1


def _save(segment: Segment, update_fields: list[str] | None = None) -> None:
    """:raises ValidationError: for an invalid name, or one that is taken, even concurrently."""
    # Constraints are left to the database, which knows of concurrent requests too.
    segment.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            segment.save(update_fields=update_fields)
    except IntegrityError as error:
        message = f"A segment named {segment.name} exists already."
        raise ValidationError({"name": message}) from error


def _note(
    segment: Segment, verb: Verb, *, by: User, data: Mapping[str, Json] | None = None
) -> None:
    event = Note(SEGMENT, segment.pk, segment.name, verb, data=data or {})
    note(segment.account_id, [event], by=by)

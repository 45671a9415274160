"""All writes to the budget code structure of a project.

A new project gets the account's structure (``default_structure``). The first change on the project
makes the structure its own, permanently.
See docs/design/work-breakdown-structure.md, "Segments and budget codes".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import transaction
from django.db.models import QuerySet

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import OwnStructure, ProjectSegment, Segment
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, Verb, note

STRUCTURE = "project_structure"


def own(project: Project) -> OwnStructure | None:
    """Who made the structure the project's own, and when; None while it is the account's."""
    return OwnStructure.objects.filter(project=project).select_related("by").first()


def addable(project: Project) -> QuerySet[Segment]:
    """Segments of the account that the project's structure does not have."""
    on_project = project.segments.values("segment")
    segments: QuerySet[Segment] = Segment.objects.filter(account=project.account_id)
    return segments.exclude(pk__in=on_project).order_by("kind", "name")


def move(project: Project, segment: Segment, *, step: int, by: User) -> None:
    """Swap a segment with its neighbor (``step`` -1: previous, 1: next); at an end it stays.

    :raises SegmentRefused: for a segment that is not in the project's structure.
    """

    def moved(order: list[Segment]) -> None:
        if segment not in order:
            raise SegmentRefused(f"{segment} is not in the project's structure.")
        place = order.index(segment)
        if 0 <= place + step < len(order):
            order[place], order[place + step] = order[place + step], order[place]

    _change(project, moved, by=by)


def arrange(project: Project, ids: Sequence[int], *, by: User) -> None:
    """Put the segments into the order of ``ids``.

    :raises SegmentRefused: unless ``ids`` are the segments of the structure, each once.
    """

    def arranged(order: list[Segment]) -> None:
        if sorted(ids) != sorted(item.pk for item in order):
            raise SegmentRefused("Name every segment of the structure once, and no other.")
        order.sort(key=lambda item: ids.index(item.pk))

    _change(project, arranged, by=by)


def add(project: Project, segment: Segment, *, by: User) -> None:
    """Add a segment of the account at the end.

    :raises SegmentRefused: if it is there already, was deleted, or the ERP takes no custom ones.
    """

    def added(order: list[Segment]) -> None:
        if segment in order:
            raise SegmentRefused(f"{segment} is in the project's structure already.")
        if not Segment.objects.filter(pk=segment.pk, account=project.account_id).exists():
            raise SegmentRefused(f"{segment} has been deleted.")
        why = segment_services.erp_refusal(project.account_id) if segment.is_custom else None
        if why:
            raise SegmentRefused(why)
        order.append(segment)

    _change(project, added, by=by)


def remove_refusal(project: Project, segment: Segment) -> str | None:
    """Why a segment cannot be removed from the structure; None if it can."""
    if segment.is_required:
        return f"{segment} is a part of every budget code."
    if segment.kind == Segment.Kind.SUB_JOB and (count := project.sub_jobs.count()):
        return f"The project has {count:,} sub job{'' if count == 1 else 's'}."
    if count := project.wbs_codes.filter(items__segment=segment).count():
        return f"{count:,} budget code{' uses' if count == 1 else 's use'} it."
    return None


def remove(project: Project, segment: Segment, *, by: User) -> None:
    """Remove a segment. :raises SegmentRefused: with the reason."""

    def removed(order: list[Segment]) -> None:
        why = remove_refusal(project, segment)
        if why:
            raise SegmentRefused(why)
        if segment in order:
            order.remove(segment)

    _change(project, removed, by=by)


@transaction.atomic
def _change(project: Project, arrange: Callable[[list[Segment]], None], *, by: User) -> None:
    """Write a new order; locks the account, so that none of its segments is deleted meanwhile."""
    default_structure.lock(project.account_id)
    # The project too: budget codes and sub jobs, which remove_refusal() counts, are added under its
    # lock.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    before = default_structure.of_project(project)
    order = list(before)
    arrange(order)
    # A move at an end changes nothing, and must not part the project from the account.
    if order == before:
        return
    project.segments.all().delete()
    ProjectSegment.objects.bulk_create(
        ProjectSegment(project=project, segment=segment, position=position)
        for position, segment in enumerate(order, start=1)
    )
    # Who parted it first stays noted.
    OwnStructure.objects.get_or_create(project=project, defaults={"by": by})
    names = [
        default_structure.JOINT.join(segment.name for segment in segments)
        for segments in (before, order)
    ]
    data = {"changes": {"structure": names}}
    event = Note(STRUCTURE, project.pk, str(project), Verb.EDITED, data=data)
    note(project.account_id, [event], by=by)

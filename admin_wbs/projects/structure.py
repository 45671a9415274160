"""All writes to the budget code structure of a project.

A project takes the account's when it is created (``structures``). The first change on the project
makes the structure its own, for good.
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
from erpbridge.audit.services import Note, note

STRUCTURE = "project_structure"


def own(project: Project) -> OwnStructure | None:
    """Who made the structure the project's own and when; None while it is the account's."""
    return OwnStructure.objects.filter(project=project).select_related("by").first()


def addable(project: Project) -> QuerySet[Segment]:
    """Segments of the account that the project's structure does not have."""
    here = project.segments.values("segment")
    found: QuerySet[Segment] = Segment.objects.filter(account=project.account_id)
    return found.exclude(pk__in=here).order_by("kind", "name")


def move(project: Project, segment: Segment, *, step: int, by: User) -> None:
    """Swap a segment with the one before (``step`` -1) or behind it (1); at an end it stays.

    :raises SegmentRefused: for one that is not in the project's structure.
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

    :raises SegmentRefused: where these are not the segments of the structure, each once.
    """

    def arranged(order: list[Segment]) -> None:
        if sorted(ids) != sorted(one.pk for one in order):
            raise SegmentRefused("Name every segment of the structure once, and no other.")
        order.sort(key=lambda one: ids.index(one.pk))

    _change(project, arranged, by=by)


def add(project: Project, segment: Segment, *, by: User) -> None:
    """Put a segment of the account at the end.

    :raises SegmentRefused: when it is there already, has gone, or the ERP takes no custom ones.
    """

    def added(order: list[Segment]) -> None:
        if segment in order:
            raise SegmentRefused(f"{segment} is in the project's structure already.")
        if not Segment.objects.filter(pk=segment.pk, account=project.account_id).exists():
            raise SegmentRefused(f"{segment} has been deleted.")
        why = segment_services.erp_refusal(project.account_id) if segment.is_custom else ""
        if why:
            raise SegmentRefused(why)
        order.append(segment)

    _change(project, added, by=by)


def remove_refusal(project: Project, segment: Segment) -> str:
    """Why a segment stays in the project's structure; empty where it can go."""
    if segment.is_required:
        return f"{segment} is a part of every budget code."
    if segment.kind == Segment.Kind.SUB_JOB and (count := project.sub_jobs.count()):
        return f"The project has {count:,} sub job{'' if count == 1 else 's'}."
    if count := project.wbs_codes.filter(items__segment=segment).count():
        return f"{count:,} budget code{' uses' if count == 1 else 's use'} it."
    return ""


def remove(project: Project, segment: Segment, *, by: User) -> None:
    """Take a segment out. :raises SegmentRefused: with the reason."""

    def removed(order: list[Segment]) -> None:
        why = remove_refusal(project, segment)
        if why:
            raise SegmentRefused(why)
        if segment in order:
            order.remove(segment)

    _change(project, removed, by=by)


@transaction.atomic
def _change(project: Project, arrange: Callable[[list[Segment]], None], *, by: User) -> None:
    """Write a new order; the account is held, so that no segment of it is deleted meanwhile."""
    default_structure.lock(project.account_id)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    before = default_structure.of_project(project)
    order = list(before)
    arrange(order)
    if order == before:
        return
    project.segments.all().delete()
    ProjectSegment.objects.bulk_create(
        ProjectSegment(project=project, segment=one, position=place)
        for place, one in enumerate(order, start=1)
    )
    OwnStructure.objects.get_or_create(project=project, defaults={"by": by})
    words = [default_structure.JOINT.join(one.name for one in some) for some in (before, order)]
    data = {"changes": {"structure": words}}
    one = Note(STRUCTURE, project.pk, str(project), "edited", data=data)
    note(project.account_id, [one], by=by)

"""The budget code structure: what every account starts with, and what its projects take of it.

A project takes the account's structure when it is created and keeps it: what the account rearranges
later is for new projects only.
See docs/design/work-breakdown-structure.md, "Segments and budget codes".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from admin_wbs.models import CostCode, CostType, ProjectSegment, Segment, SegmentItem
from erpbridge.access.models import Account, Project
from erpbridge.access.services.projects import projects_created

# Tiers are joined by tree.JOINT, segments by this.
JOINT = "."
# What stands in a preview where the account has nothing of its own yet.
SAMPLES = {
    Segment.Kind.COST_CODE: "02-220",
    Segment.Kind.COST_TYPE: "L",
    Segment.Kind.SUB_JOB: "01",
}
# Kind, tiered, and the place in the structure; Sub Job is there to be enabled.
SEGMENTS = (
    (Segment.Kind.COST_CODE, True, 1),
    (Segment.Kind.COST_TYPE, False, 2),
    (Segment.Kind.SUB_JOB, False, None),
)
COST_TYPES = (
    ("L", CostType.Base.LABOR),
    ("E", CostType.Base.EQUIPMENT),
    ("M", CostType.Base.MATERIALS),
    ("S", CostType.Base.COMMITMENT),
    ("OC", CostType.Base.OWNER_COST),
    ("SVC", CostType.Base.PROFESSIONAL_SERVICES),
    ("O", CostType.Base.OTHER),
)


def ensure(account_id: int) -> None:
    """Give an account what each begins with, unless it has it."""
    if not Segment.objects.filter(account=account_id).exists():
        with transaction.atomic():
            lock(account_id)


def lock(account_id: int) -> None:
    """Hold the account until the end of the transaction: its segments change one at a time.

    What it begins with is there then: three segments and seven cost types. Projects that were there
    before take the structure as well, for there was no other.
    """
    list(Account.objects.select_for_update(no_key=True).filter(pk=account_id))
    if Segment.objects.filter(account=account_id).exists():
        return
    Segment.objects.bulk_create(
        Segment(account_id=account_id, kind=kind, name=kind.label, tiered=tiered, position=at)
        for kind, tiered, at in SEGMENTS
    )
    CostType.objects.bulk_create(
        CostType(
            account_id=account_id, code=code, label=base.label, base_type=base, is_default=True
        )
        for code, base in COST_TYPES
    )
    _copy(account_id, Project.objects.filter(account=account_id).values_list("pk", flat=True))


def project_made(*, instance: Project, created: bool, raw: bool, **_more: Any) -> None:
    """Give a new project the account's structure of this moment, whoever created it."""
    if not created or raw:
        return
    with transaction.atomic():
        lock(instance.account_id)
        if not instance.segments.exists():
            _copy(instance.account_id, [instance.pk])


def projects_made(*, account_id: int, project_ids: Sequence[int], **_more: Any) -> None:
    """The same for projects that were stored at once."""
    with transaction.atomic():
        lock(account_id)
        there = ProjectSegment.objects.filter(project__in=project_ids)
        held = set(there.values_list("project", flat=True))
        _copy(account_id, [pk for pk in project_ids if pk not in held])


def register() -> None:
    """Follow the creation of projects."""
    projects_created.connect(projects_made, dispatch_uid="admin_wbs.projects_made")
    post_save.connect(project_made, sender=Project, dispatch_uid="admin_wbs.project_made")


def of_project(project: Project) -> list[Segment]:
    """The segments of a project's budget codes, in order."""
    rows = project.segments.select_related("segment").order_by("position")
    return [row.segment for row in rows]


def preview(account_id: int, segments: Sequence[Segment]) -> str:
    """A budget code as the structure writes it, such as ``02-220.L``."""
    return JOINT.join(_sample(account_id, one) for one in segments)


def _copy(account_id: int, project_ids: Iterable[int]) -> None:
    structure = list(Segment.objects.structure(account_id))
    ProjectSegment.objects.bulk_create(
        (
            ProjectSegment(project_id=project_id, segment=one, position=place)
            for project_id in project_ids
            for place, one in enumerate(structure, start=1)
        ),
        batch_size=500,
    )


def _sample(account_id: int, segment: Segment) -> str:
    """A value of the segment: the account's first below the top, or one made up."""
    if segment.kind == Segment.Kind.SUB_JOB:
        return SAMPLES[Segment.Kind.SUB_JOB]
    if segment.kind == Segment.Kind.COST_TYPE:
        types = CostType.objects.filter(account=account_id).in_order()
        return types.values_list("code", flat=True).first() or SAMPLES[Segment.Kind.COST_TYPE]
    if segment.kind == Segment.Kind.COST_CODE:
        codes = CostCode.objects.filter(account=account_id, depth=1).order_by("pk")
        found = codes.values_list("full_code", flat=True).first()
        return found or SAMPLES[Segment.Kind.COST_CODE]
    items = SegmentItem.objects.filter(segment=segment).order_by("-depth", "pk")
    return items.values_list("full_code", flat=True).first() or f"[{segment.name}]"

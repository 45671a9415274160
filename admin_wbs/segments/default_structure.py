"""The budget code structure: the defaults of every account, and the copy that projects get.

A project gets the account's structure when it is created and keeps it; later changes of the account
apply to new projects only.
See docs/design/work-breakdown-structure.md, "Segments and budget codes".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models.signals import post_save

from admin_wbs.models import CostCode, CostType, ProjectSegment, Segment, SegmentItem
from erpbridge.access.models import Account, Project
from erpbridge.access.services.projects import projects_created

# Joins segments; tiers are joined by full_code.JOINT.
JOINT = "."
# Sample codes for the preview of an account without items.
SAMPLES = {
    Segment.Kind.COST_CODE: "02-220",
    Segment.Kind.COST_TYPE: "L",
    Segment.Kind.SUB_JOB: "01",
}
# Kind, tiered, and position in the structure; Sub Job is not enabled at first.
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
    """Create the default segments and cost types of an account if they are missing."""
    # Asked without a lock first, because pages call this each time and it is nearly always done.
    if not Segment.objects.filter(account=account_id).exists():
        with transaction.atomic():
            lock(account_id)


def lock(account_id: int) -> None:
    """Lock the account until the end of the transaction: its segments change one at a time.

    Creates the three default segments and seven cost types if they are missing. Existing projects
    get the structure as well, because there was no other before.
    """
    # list() runs the query, which takes the lock.
    list(Account.objects.select_for_update(no_key=True).filter(pk=account_id))
    # Asked again under the lock: another request may have made them while this one waited.
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


def project_made(*, instance: Project, created: bool, raw: bool, **_more: object) -> None:
    """Signal handler: give a new project the account's current structure."""
    # Fixtures bring their own structure.
    if not created or raw:
        return
    with transaction.atomic():
        lock(instance.account_id)
        # It has one already if lock() has just made the first structure of the account.
        if not instance.segments.exists():
            _copy(instance.account_id, [instance.pk])


def projects_made(*, account_id: int, project_ids: Sequence[int], **_more: object) -> None:
    """Signal handler for projects that were created in bulk."""
    with transaction.atomic():
        lock(account_id)
        segments = ProjectSegment.objects.filter(project__in=project_ids)
        with_structure = set(segments.values_list("project", flat=True))
        _copy(account_id, [pk for pk in project_ids if pk not in with_structure])


def register() -> None:
    """Connect the signals of new projects."""
    projects_created.connect(projects_made, dispatch_uid="admin_wbs.projects_made")
    # ``bulk_create`` sends no ``post_save``, hence the signal of our own above.
    post_save.connect(project_made, sender=Project, dispatch_uid="admin_wbs.project_made")


def of_project(project: Project) -> list[Segment]:
    """The segments of a project's budget codes, in order."""
    rows = project.segments.select_related("segment").order_by("position")
    return [row.segment for row in rows]


def preview(account_id: int, segments: Sequence[Segment]) -> str:
    """A sample budget code of the structure, such as ``02-220.L``."""
    return JOINT.join(_sample(account_id, segment) for segment in segments)


def _copy(account_id: int, project_ids: Iterable[int]) -> None:
    structure = list(Segment.objects.structure(account_id))
    ProjectSegment.objects.bulk_create(
        (
            ProjectSegment(project_id=project_id, segment=segment, position=position)
            for project_id in project_ids
            # Numbered anew: deleted segments leave gaps in the account's positions.
            for position, segment in enumerate(structure, start=1)
        ),
        batch_size=500,
    )


def _sample(account_id: int, segment: Segment) -> str:
    """A code of the segment: the account's first one below the top tier, or an invented one."""
    if segment.kind == Segment.Kind.SUB_JOB:
        # Sub jobs belong to projects, so the account has none to show.
        return SAMPLES[Segment.Kind.SUB_JOB]
    if segment.kind == Segment.Kind.COST_TYPE:
        types = CostType.objects.filter(account=account_id).in_order()
        return types.values_list("code", flat=True).first() or SAMPLES[Segment.Kind.COST_TYPE]
    if segment.kind == Segment.Kind.COST_CODE:
        # One below the top tier, which shows that tiers are joined by a dash.
        codes = CostCode.objects.filter(account=account_id, depth=1).order_by("pk")
        code = codes.values_list("full_code", flat=True).first()
        return code or SAMPLES[Segment.Kind.COST_CODE]
    items = SegmentItem.objects.filter(segment=segment).order_by("-depth", "pk")
    return items.values_list("full_code", flat=True).first() or f"[{segment.name}]"

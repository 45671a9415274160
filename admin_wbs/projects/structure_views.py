"""The page of a project's work breakdown structure: its segments and their order."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import CostType, Segment, SegmentItem
from admin_wbs.projects import structure as project_structure
from admin_wbs.projects import sub_jobs
from admin_wbs.segments import default_structure
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, project_of, scoped
from erpbridge.db.numbers import number

STEPS = {"up": -1, "down": 1}
ACTIONS = ("add", "remove", *STEPS)


@dataclass(frozen=True)
class Row:
    """A segment of the project, its number of items, and where they are kept.

    ``stays``: why it cannot be removed, if so.
    """

    segment: Segment
    items: int
    href: str
    stays: str | None


@require_safe
@scoped(Permission.PROJECT_WBS_VIEW)
def structure(request: ScopedRequest) -> HttpResponse:
    """The segments of the project's budget codes in order, with numbers of items."""
    project = project_of(request)
    default_structure.ensure(project.account_id)
    order = default_structure.of_project(project)
    context = {
        "rows": [_row(project, segment) for segment in order],
        "preview": default_structure.preview(project.account_id, order),
        "own": project_structure.own(project),
        "addable": project_structure.addable(project),
        "sub_jobs_apart": sub_jobs.offered(project)
        and not any(segment.kind == Segment.Kind.SUB_JOB for segment in order),
        "may_edit": request.access.can(Permission.PROJECT_WBS_EDIT),
        "moved": request.GET.get("moved", ""),
        "direction": request.GET.get("direction", ""),
    }
    return render(request, "wbs/structure.html", context)


@require_POST
@scoped(Permission.PROJECT_WBS_EDIT)
def change(request: ScopedRequest) -> HttpResponseBase:
    """Move, add or remove a segment; asks before the first change of the project's structure."""
    project = project_of(request)
    back = reverse("admin_wbs:project_wbs", args=[project.account_id, project.pk])
    action = request.POST.get("action", "")
    segment_id = number(request.POST.get("segment", ""))
    # Any segment of the account: *Add* names one that the project does not have yet.
    segment = Segment.objects.filter(account=project.account_id, pk=segment_id).first()
    if action not in ACTIONS or segment is None:
        messages.error(request, "Choose a segment, and what to do with it.")
        return redirect(back)
    # Asked once: after the first change the structure is the project's own in any case.
    if project_structure.own(project) is None and "confirm" not in request.POST:
        return _ask(request, action, segment, back=back)
    try:
        _do(project, action, segment, request=request)
    except SegmentRefused as refused:
        messages.error(request, str(refused))
        return redirect(back)
    return redirect(f"{back}?moved={segment.pk}&direction={action}" if action in STEPS else back)


def _do(project: Project, action: str, segment: Segment, *, request: ScopedRequest) -> None:
    if action in STEPS:
        project_structure.move(project, segment, step=STEPS[action], by=request.user)
        return
    if action == "add":
        project_structure.add(project, segment, by=request.user)
        messages.success(request, f"Added {segment} to the structure of this project.")
        return
    project_structure.remove(project, segment, by=request.user)
    messages.success(request, f"{segment} is no longer in the structure of this project.")


def _ask(request: ScopedRequest, action: str, segment: Segment, *, back: str) -> HttpResponse:
    context = {
        "question": "Change the structure of this project?",
        "what": [
            "From then on the project has a budget code structure of its own. It does not go back "
            "to the company's.",
        ],
        "confirm": "Change the structure",
        "danger": True,
        "hidden": [("action", action), ("segment", segment.pk)],
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)


def _row(project: Project, segment: Segment) -> Row:
    """Counts the items with a query per segment; there are at most 13 segments."""
    place = [project.account_id, project.pk]
    items, href = 0, ""
    if segment.kind == Segment.Kind.COST_CODE:
        items, href = project.cost_codes.count(), reverse("admin_wbs:project_codes", args=place)
    elif segment.kind == Segment.Kind.COST_TYPE:
        items = CostType.objects.filter(account=project.account_id).count()
    elif segment.kind == Segment.Kind.SUB_JOB:
        items, href = project.sub_jobs.count(), reverse("admin_wbs:sub_jobs", args=place)
    else:
        items = SegmentItem.objects.filter(segment=segment, is_active=True).count()
    return Row(segment, items, href, project_structure.remove_refusal(project, segment))

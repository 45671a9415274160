"""Refresh from ERP: fetch, preview the changes, apply."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import refresh_job as erp_refresh_job
from admin_wbs.erp.refresh_plan import Fate, Plan, plan_of
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.numbers import number
from erpbridge.jobs import views as job_pages
from erpbridge.ui.navigation import Tab

ROWS_SHOWN = 100
# Fate -> label of a row, label of the tab, color, icon.
SHOWN = {
    Fate.NEW: ("New", "New", "green", "plus-circle"),
    Fate.SAME: ("On both sides", "On both sides", "green", "link"),
    Fate.CHANGED: ("Changed", "Changed", "blue", "pencil-square"),
    Fate.MISSING: ("Missing in the ERP", "Missing in the ERP", "yellow", "minus-circle"),
    Fate.LEFT: ("Left as it is", "Left as they are", "red", ""),
}


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CODES_EDIT)
def refresh(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Preview the ERP's changes. Fetching and applying run in the background."""
    code_list = get_object_or_404(CodeList.objects.visible_to(request.access), pk=list_id)
    if request.method == "POST":
        return _act(request, code_list)
    connection = sendable.connected(code_list.account_id, list_services.CODE)
    context: dict[str, object] = {
        "list": code_list,
        "why_not": erp_refresh_job.refusal(code_list),
        "erp": connection.label if connection else "",
        "erp_owns": connection is not None and connection.erp_owns,
        "fetched": erp_refresh_job.fetched(code_list),
        **job_pages.running(request.access, erp_refresh_job.subject(code_list)),
    }
    # While a job runs, the plan changes with every chunk.
    if not context["why_not"] and context["fetched"] and "job" not in context:
        context |= _shown(plan_of(code_list), request.GET)
    return render(request, "wbs/refresh.html", context)


def _act(request: ScopedRequest, code_list: CodeList) -> HttpResponseBase:
    try:
        if request.POST.get("act") == "apply":
            seen = request.POST.get("seen", "")
            job = erp_refresh_job.apply(code_list, access=request.access, seen=seen)
        else:
            job = erp_refresh_job.fetch(code_list, access=request.access)
    except CodeRefused as refused:
        messages.warning(request, str(refused))
        return redirect("admin_wbs:refresh", request.access.account.pk, code_list.pk)
    return redirect(job_pages.href(job, request.access))


def _shown(plan: Plan, params: QueryDict) -> dict[str, object]:
    """Tabs with counts, and a page of rows."""
    show = params.get("show", "")
    fate = Fate(show) if show in set(Fate) else None
    rows = plan.of(fate)
    pages = max(1, -(-len(rows) // ROWS_SHOWN))
    page = min(max(number(params.get("page", "")), 1), pages)
    first = (page - 1) * ROWS_SHOWN
    return {
        "plan": plan,
        "tabs": _tabs(plan, fate),
        "show": show if fate else "",
        "rows": [(row, *_badge(row.fate)) for row in rows[first : first + ROWS_SHOWN]],
        "first": first + 1,
        "last": min(first + ROWS_SHOWN, len(rows)),
        "count": len(rows),
        "previous": page - 1,
        "next": page + 1 if page < pages else 0,
    }


def _badge(fate: Fate) -> tuple[str, str, str]:
    label, _, color, icon = SHOWN[fate]
    return label, color, icon


def _tabs(plan: Plan, current: Fate | None) -> list[Tab]:
    tabs = [Tab("All", "?", current is None, f"{len(plan.rows):,}")]
    for fate, (_, label, _, _) in SHOWN.items():
        if plan.counts[fate]:
            tabs.append(Tab(label, f"?show={fate}", current == fate, f"{plan.counts[fate]:,}"))
    return tabs

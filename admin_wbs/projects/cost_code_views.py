"""A project's cost codes: list, add from the company's lists, remove, refresh."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from admin_wbs.projects import cost_codes, refresh_job
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, project_of, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.jobs import views as job_pages
from erpbridge.ui import page_params
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED
from erpbridge.ui.listing import list_page

NOT_OFFERED = "That list is not available to this project. Choose one of these."


def _home(request: ScopedRequest) -> str:
    place = [request.access.account.pk, project_of(request).pk]
    return reverse("admin_wbs:project_codes", args=place)


@require_safe
@scoped(Permission.PROJECT_CODES_VIEW)
def project_list(request: ScopedRequest) -> HttpResponse:
    """The codes of the project in tree order."""
    project = project_of(request)
    codes = ProjectCostCode.objects.visible_to(request.access).select_related("cost_code__list")
    page = list_page(
        codes,
        request.GET,
        sorts={"code": "cost_code__sort_path", "description": "cost_code__description"},
        search=lambda rows, words: rows.search(words),  # type: ignore[attr-defined]
    )
    # Codes may come from several lists; only then each row says which.
    lists = {row.cost_code.list_id for row in page.rows}
    why_not = refresh_job.refusal(project)
    subject = refresh_job.subject(project, project.account_id)
    context = {
        "page": page,
        "rows": [(row.cost_code, sendable.badge(row.cost_code)) for row in page.rows],
        "several_lists": len(lists) > 1,
        "may_edit": request.access.can(Permission.PROJECT_CODES_EDIT),
        "none_at_all": not page.rows and not page.search,
        "uses_erp": project.use_with_erp,
        "refresh_reasons": [why_not] if why_not else [],
        **job_pages.running(request.access, subject),
    }
    return render(request, "wbs/project_codes.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.PROJECT_CODES_EDIT)
def add(request: ScopedRequest) -> HttpResponseBase:
    """Cost Codes from Company: tick codes of a list; their descendants are added as well."""
    project = project_of(request)
    offered = cost_codes.offered_lists(project)
    list_id = (request.POST or request.GET).get("list", "")
    if not offered:
        return render(request, "wbs/project_add.html", {"home": _home(request)})
    # A list that is named but not offered is refused, and not replaced by another.
    default = None if list_id else offered[0]
    code_list = next((item for item in offered if str(item.pk) == list_id), default)
    if code_list is None:
        messages.error(request, NOT_OFFERED)
        return redirect("admin_wbs:project_add", project.account_id, project.pk)
    if request.method == "POST":
        return _added(request, code_list)
    return _picker(request, code_list, offered)


def _added(request: ScopedRequest, code_list: CodeList) -> HttpResponseBase:
    project, search = project_of(request), page_params.words(request.POST)
    ids = numbers(request.POST.getlist("ids"))
    if request.POST.get("all"):
        count = cost_codes.add_matching(code_list, search, project=project, by=request.user)
    elif ids:
        count = cost_codes.add(code_list, ids, project=project, by=request.user)
    else:
        messages.warning(request, NOTHING_TICKED)
        url = reverse("admin_wbs:project_add", args=[project.account_id, project.pk])
        query = urlencode({"list": str(code_list.pk), "q": search})
        return redirect(f"{url}?{query}")
    if count:
        plural = "" if count == 1 else "s"
        messages.success(request, f"{count:,} cost code{plural} added to the project.")
    else:
        messages.info(request, "The project has all of these already.")
    return redirect(_home(request))


def _picker(request: ScopedRequest, code_list: CodeList, offered: list[CodeList]) -> HttpResponse:
    """The children of a code, as a page or as a branch; or the codes that match a search."""
    search = page_params.words(request.GET)
    parent = _above(request.GET.get("under", ""), code_list)
    codes: QuerySet[Model] = cost_codes.offered(code_list)
    # Counted before the tree is cut down to one branch: the page names the size of the list.
    total = codes.count()
    if not search:
        codes = codes.filter(parent=parent)
    on_project = ProjectCostCode.objects.filter(
        project=project_of(request), cost_code=OuterRef("pk")
    )
    # Only active children count, for only these can be opened and ticked.
    children = cost_codes.offered(code_list).filter(parent=OuterRef("pk"))
    codes = codes.annotate(is_here=Exists(on_project), has_codes=Exists(children))
    page = list_page(
        codes,
        request.GET,
        sorts={"code": "sort_path"},
        search=lambda rows, text: rows.search(text),  # type: ignore[attr-defined]
    )
    context = {
        "list": code_list,
        "lists": offered,
        "page": page,
        "above": parent,
        "searching": bool(search),
        "total": total,
        "home": _home(request),
    }
    # Without JavaScript the same address is a page of its own.
    if request.htmx and parent is not None:
        return render(request, "wbs/branch.html", {**context, "branch": True})
    return render(request, "wbs/project_add.html", context)


def _above(text: str, code_list: CodeList) -> CostCode | None:
    pk = number(text)
    if not pk:
        return None
    return cost_codes.offered(code_list).select_related("parent").filter(pk=pk).first()


@require_POST
@scoped(Permission.PROJECT_CODES_EDIT)
def remove(request: ScopedRequest) -> HttpResponseBase:
    """Remove the ticked codes from the project."""
    ids = numbers(request.POST.getlist("ids"))
    if not ids:
        messages.warning(request, NOTHING_TICKED)
        return redirect(_home(request))
    result = cost_codes.remove(ids, project=project_of(request), by=request.user)
    if result.done:
        plural = "" if result.done == 1 else "s"
        messages.success(request, f"{result.done:,} cost code{plural} removed from the project.")
    elif not result.refused:
        messages.info(request, "The ticked cost codes are not on the project any more.")
    for item in result.refused[:5]:
        messages.warning(request, f"{item.label} stays. {item.why}")
    if len(result.refused) > 5:
        messages.warning(request, f"{len(result.refused) - 5:,} more stay for the same reason.")
    return redirect(_home(request))


@require_POST
@scoped(Permission.PROJECT_CODES_EDIT)
def refresh(request: ScopedRequest) -> HttpResponseBase:
    """Refresh Cost Codes on this project, in the background."""
    try:
        job = refresh_job.refresh(access=request.access)
    except CodeRefused as refused:
        messages.error(request, str(refused))
        return redirect(_home(request))
    return redirect(job_pages.href(job, request.access))


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CODES_REFRESH_PROJECTS)
def refresh_all(request: ScopedRequest) -> HttpResponseBase:
    """Refresh Cost Codes on all projects that use the ERP; asks first."""
    back = reverse("admin_wbs:lists", args=[request.access.account.pk])
    if request.method == "POST":
        try:
            job = refresh_job.refresh_all(access=request.access)
        except CodeRefused as refused:
            messages.error(request, str(refused))
            return redirect(back)
        return redirect(job_pages.href(job, request.access))
    count = len(refresh_job.erp_projects(request.access))
    context = {
        "question": "Refresh cost codes on all projects?",
        "what": [
            f"{count:,} active project{'' if count == 1 else 's'} used with the ERP "
            f"{'gets' if count == 1 else 'get'} every active code that the ERP has.",
            "Codes that have gone inactive stay on the projects that have them.",
        ],
        "confirm": "Refresh Cost Codes",
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)

"""The page of a list (tree and table), and the page of a code."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from admin_wbs.cost_codes import history as cost_codes_history
from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes.forms import CodeForm, typed_form
from admin_wbs.cost_codes.list_views import visible_list
from admin_wbs.cost_codes.table import BADGES, STATUSES, listing, may, selected, why_no_code
from admin_wbs.erp import send as send_to_erp
from admin_wbs.importing import pages as import_pages
from admin_wbs.models import CodeList, CostCode
from admin_wbs.tree import rendering
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.numbers import number

NO_CONTENT = 204


@require_safe
@scoped(Permission.CODES_VIEW)
def code_list(request: ScopedRequest, list_id: int) -> HttpResponse:
    """The codes of a list."""
    return codes_page(request, visible_list(request.access, list_id))


@require_safe
@scoped(Permission.CODES_VIEW)
def branch(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """The children of a code, for the tree; without JavaScript the list's page."""
    code_list = visible_list(request.access, list_id)
    parent = selected(code_list, request.GET)
    home = reverse("admin_wbs:list", args=[request.access.account.pk, code_list.pk])
    if not request.htmx:
        return redirect(f"{home}?at={parent.pk}" if parent else home)
    children = rendering.branch(code_list, parent)
    context = {"list": code_list, "branch": children, "above": parent, "home": home}
    return render(request, "wbs/parts/branch.html", context)


@require_safe
@scoped(Permission.CODES_VIEW)
def tree(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Reload the tree at the left, after a code was added or renamed."""
    code_list = visible_list(request.access, list_id)
    home = reverse("admin_wbs:list", args=[request.access.account.pk, code_list.pk])
    if not request.htmx:
        return redirect(f"{home}?{request.GET.urlencode()}")
    context = {"list": code_list, "listing": listing(code_list, request.GET), "home": home}
    return render(request, "wbs/parts/tree.html", context)


@require_safe
@scoped(Permission.CODES_VIEW)
def erp_buttons(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Send and Retrieve, which a page that is open for long reloads when it is stale."""
    code_list = visible_list(request.access, list_id)
    seen = number(request.GET.get("list_seen", ""))
    if not request.htmx:
        return redirect("admin_wbs:list", request.access.account.pk, code_list.pk)
    # 204 makes htmx leave the buttons, and what the person has focused, alone.
    if seen == code_list.revision:
        return HttpResponse(status=NO_CONTENT)
    return render(request, "wbs/parts/erp_buttons.html", erp_context(request, code_list, seen=seen))


@require_safe
@scoped(Permission.CODES_VIEW)
def code(request: ScopedRequest, code_id: int) -> HttpResponse:
    """One code: its values, its place in the tree, and its history."""
    access, code = request.access, visible_code(request.access, code_id)
    context = {
        "code": code,
        "list": code.list,
        "line": rendering.ancestors([code]),
        "below": code.children.count(),
        "badge": sendable.badge(code),
        "lock": sendable.lock(list_services.CODE, code),
        "news": sendable.news(list_services.CODE, access.account.pk, code),
        "read_only": list_services.read_only(code.list),
        "may": may(access, code.list),
        "history": cost_codes_history.of(code, before=request.GET.get("before", "")),
    }
    return render(request, "wbs/code.html", context)


def codes_page(
    request: ScopedRequest,
    code_list: CodeList,
    *,
    at: CostCode | None = None,
    form: CodeForm | None = None,
    refused: str = "",
) -> HttpResponse:
    """The page of a list; after a failed addition under ``at``, with the values typed."""
    # The address of a failed POST has no query, so the code that it was added under is put in.
    params = request.GET.copy()
    if at is not None:
        params["at"] = str(at.pk)
    codes = listing(code_list, params)
    context = {
        "list": code_list,
        "listing": codes,
        "home": reverse("admin_wbs:list", args=[request.access.account.pk, code_list.pk]),
        "may": may(request.access, code_list),
        "files": import_pages.actions(
            code_list, request.access, is_empty=not codes.numbers["total"]
        ),
        "may_configure": bool(request.access.can(Permission.CODES_EDIT)),
        "read_only": list_services.read_only(code_list),
        "awaits_erp": list_services.AWAITS if code_list.awaits_erp else "",
        "no_code": why_no_code(code_list, codes.at),
        "statuses": STATUSES,
        "badges": BADGES,
        "form": form or CodeForm(auto_id="add_%s"),
        "typed": typed_form(),
        # A form that came back keeps its row open, or what was typed would be out of sight.
        "adding": form is not None or "adding" in request.GET,
        "refused": refused,
        **erp_context(request, code_list, seen=code_list.revision),
    }
    return render(request, "wbs/codes.html", context)


def erp_context(request: ScopedRequest, code_list: CodeList, *, seen: int) -> dict[str, object]:
    """Context of the ERP buttons. ``seen`` is the list revision of the open page."""
    button = send_to_erp.button(code_list, request.access, seen=seen)
    return {
        "list": code_list,
        "seen": seen,
        "button": button,
        "left_out_heading": _left_out(button.left_out) if button else "",
        "most": settings.ERPBRIDGE_MOST_ROWS_A_CLICK,
    }


def _left_out(count: int) -> str:
    return f"{count:,} rejected {'code is' if count == 1 else 'codes are'} left out"


def visible_code(access: Access, code_id: int) -> CostCode:
    """A code that the person can see. :raises Http404: for any other."""
    codes = CostCode.objects.visible_to(access).select_related("list", "parent")
    code: CostCode = get_object_or_404(codes, pk=code_id)
    return code

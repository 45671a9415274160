"""Bulk actions on codes: Send, Retrieve, deactivate, reactivate, delete."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.list_views import visible_list
from admin_wbs.cost_codes.table import matching
from admin_wbs.erp import send as send_to_erp
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CodeList
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.refusals import BulkResult, Left
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED, ask, must_ask

ACTS = {
    "deactivate": code_services.deactivate,
    "reactivate": code_services.reactivate,
    "delete": code_services.delete,
}
DONE = {"deactivate": "deactivated", "reactivate": "reactivated", "delete": "deleted"}
RULES = {"send": Permission.CODES_SEND, "retrieve": Permission.CODES_RETRIEVE}
MOST_REASONS = 500


@require_POST
@scoped(Permission.CODES_VIEW)
def send(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Send every unsent code to the ERP, or retrieve every waiting one."""
    code_list = visible_list(request.access, list_id)
    return _to_the_erp(request, code_list, request.POST.get("verb", ""), ids=None)


@require_POST
@scoped(Permission.CODES_VIEW)
def many(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Apply an action to the ticked codes, or to all codes that match the list's filters."""
    code_list = visible_list(request.access, list_id)
    action = request.POST.get("action", "")
    # An unknown action needs the right to edit; it is refused further down.
    require(request.access, RULES.get(action, Permission.CODES_EDIT))
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    ids = _chosen(code_list, request.POST, most=most)
    if not ids:
        messages.warning(request, NOTHING_TICKED)
        return redirect(_back(request, code_list))
    if len(ids) > most:
        message = f"Nothing was done: one click takes at most {most:,} codes, and more match."
        messages.error(request, f"{message} Narrow the list with search or filters.")
        return redirect(_back(request, code_list))
    if action in ("send", "retrieve"):
        return _to_the_erp(request, code_list, action, ids=ids)
    if action not in ACTS:
        messages.error(request, "Nothing was done: choose what to do with the ticked codes.")
        return redirect(_back(request, code_list))
    return _change(request, code_list, action, ids)


def _to_the_erp(
    request: ScopedRequest, code_list: CodeList, verb: str, *, ids: list[int] | None
) -> HttpResponseBase:
    """Send or retrieve, then show the result of the bulk request."""
    access = request.access
    if verb not in ("send", "retrieve"):
        messages.error(request, "Nothing was done: choose Send or Retrieve.")
        return redirect(_back(request, code_list))
    require(access, RULES[verb])
    if verb == "retrieve":
        result = send_to_erp.retrieve(code_list, access=access, ids=ids)
        return redirect("erp:request", access.account.pk, result.request_id)
    return _send(request, code_list, ids)


def _send(request: ScopedRequest, code_list: CodeList, ids: list[int] | None) -> HttpResponseBase:
    """Send; ask first if there are very many. A stale page gets an error and sends nothing."""
    access = request.access
    button = send_to_erp.button(code_list, access)
    if button is None:
        messages.error(request, f"Nothing was sent: {code_list} belongs to no ERP.")
        return redirect(_back(request, code_list))
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    seen = number(request.POST.get("list_seen", ""))
    # The service sends no more than one click takes, so the question names no more.
    count = min(button.count, most) if ids is None else len(ids)
    # A stale page gets its error first, without a question.
    if seen == code_list.revision and must_ask(request, count):
        return _ask_to_send(request, code_list, count, ids=ids or ())
    try:
        note = request.POST.get("note", "")
        result = send_to_erp.send(code_list, access=access, seen=seen, ids=ids, note=note)
    except ValidationError as wrong:
        messages.error(request, f"Nothing was sent. {' '.join(wrong.messages)}")
        return redirect(_back(request, code_list))
    except Stale as stale:
        now = "This is the current list: review it, then send."
        messages.error(request, f"Nothing was sent. {stale} {now}")
        return redirect(_back(request, code_list))
    if ids is None and button.count > most:
        message = (
            f"One click takes {most:,} of the {button.count:,} codes; send again for the rest."
        )
        messages.warning(request, message)
    return redirect("erp:request", access.account.pk, result.request_id)


def _ask_to_send(
    request: ScopedRequest, code_list: CodeList, count: int, *, ids: Iterable[int]
) -> HttpResponse:
    return ask(
        request,
        f"Send {_counted(count)} to the ERP?",
        what=[
            "Accounting sees them at once. They are locked until a decision is made.",
            "Codes above them that the ERP does not have are sent too.",
        ],
        confirm="Send to ERP",
        back=_back(request, code_list),
        keep=("action", "verb", "query", "list_seen", "note"),
        ids=ids,
    )


def _change(
    request: ScopedRequest, code_list: CodeList, action: str, ids: list[int]
) -> HttpResponseBase:
    """Deactivate, reactivate, or (after asking) delete."""
    # Only deleting asks: the other two can be undone by each other.
    if action == "delete":
        # Only the codes that the question has counted: "all" may match others by now.
        if "confirm" not in request.POST or request.POST.get("all"):
            return _ask(request, code_list, ids)
        # Deleting cannot be undone, so the list must still be as the person saw it.
        if number(request.POST.get("list_seen", "")) != code_list.revision:
            messages.error(request, f"Nothing was deleted. {send_to_erp.changed_since(code_list)}")
            return redirect(_back(request, code_list))
    try:
        result = ACTS[action](code_list, ids, by=request.user)
    except CodeRefused as refused:
        messages.error(request, str(refused))
        return redirect(_back(request, code_list))
    if result.done:
        messages.success(request, f"{_counted(result.done)} {DONE[action]}.")
    if not result.refused:
        return redirect(_back(request, code_list))
    return _result(request, code_list, action, result)


def _ask(request: ScopedRequest, code_list: CodeList, ids: list[int]) -> HttpResponse:
    context = {
        "question": f"Delete {_counted(len(ids))}?",
        "what": [
            "Only codes that were never used are deleted. Codes that are kept are listed with the "
            "reason.",
            "This cannot be undone. A code that may be needed again can be deactivated instead.",
        ],
        "confirm": "Delete",
        "danger": True,
        "cancel_href": _back(request, code_list),
        "hidden": [
            ("action", "delete"),
            ("query", request.POST.get("query", "")),
            ("list_seen", str(code_list.revision)),
            *(("ids", str(pk)) for pk in ids),
        ],
    }
    return render(request, "parts/confirm.html", context)


def _result(
    request: ScopedRequest, code_list: CodeList, action: str, result: BulkResult[Left]
) -> HttpResponse:
    context = {
        "list": code_list,
        "action": action,
        "heading": f"{_counted(len(result.refused))} not {DONE[action]}",
        "refused": result.refused[:MOST_REASONS],
        "more": max(0, len(result.refused) - MOST_REASONS),
        "back": _back(request, code_list),
    }
    return render(request, "wbs/many_result.html", context)


def _chosen(code_list: CodeList, posted: QueryDict, *, most: int) -> list[int]:
    """The ticked codes of the list, or all that match; at most ``most`` + 1 ids."""
    if posted.get("all"):
        rows = matching(code_list, QueryDict(posted.get("query", "")))
    else:
        # Cut before the query, which takes a parameter for each id.
        ticked = numbers(posted.getlist("ids"))[: most + 1]
        rows = code_list.codes.filter(pk__in=ticked)
    # One more than allowed, so that the caller can tell that there are too many.
    return list(rows.order_by("sort_path").values_list("pk", flat=True)[: most + 1])


def _back(request: ScopedRequest, code_list: CodeList) -> str:
    """URL of the page on which the person clicked."""
    home = reverse("admin_wbs:list", args=[request.access.account.pk, code_list.pk])
    query = QueryDict(request.POST.get("query", "")).urlencode()
    return f"{home}?{query}" if query else home


def _counted(count: int) -> str:
    return "1 code" if count == 1 else f"{count:,} codes"

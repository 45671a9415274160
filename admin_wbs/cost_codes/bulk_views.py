"""Clicks on many codes: Send and Retrieve, deactivate, reactivate, delete."""

from __future__ import annotations

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
from admin_wbs.errors import CodeRefused, Outcome, Stale
from admin_wbs.models import CodeList
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED, ask, must_ask

ACTS = {
    "deactivate": code_services.deactivate,
    "reactivate": code_services.reactivate,
    "delete": code_services.delete,
}
DONE = {"deactivate": "deactivated", "reactivate": "reactivated", "delete": "deleted"}
RULES = {"send": "codes.send", "retrieve": "codes.retrieve"}
MOST_REASONS = 500


@require_POST
@scoped("codes.view")
def send(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Send every unsent code to the ERP, or take every waiting one back."""
    found = visible_list(request.access, list_id)
    return _to_the_erp(request, found, request.POST.get("verb", ""), ids=None)


@require_POST
@scoped("codes.view")
def many(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Do something with the ticked codes, or with all that match the list's filters."""
    found = visible_list(request.access, list_id)
    action = request.POST.get("action", "")
    require(request.access, RULES.get(action, "codes.edit"))
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    ids = _chosen(found, request.POST, most=most)
    if not ids:
        messages.warning(request, NOTHING_TICKED)
        return redirect(_back(request, found))
    if len(ids) > most:
        message = f"Nothing was done: one click takes at most {most:,} codes, and more match."
        messages.error(request, f"{message} Narrow the list with search or filters.")
        return redirect(_back(request, found))
    if action in ("send", "retrieve"):
        return _to_the_erp(request, found, action, ids=ids)
    if action not in ACTS:
        messages.error(request, "Nothing was done: choose what to do with the ticked codes.")
        return redirect(_back(request, found))
    return _change(request, found, action, ids)


def _to_the_erp(
    request: ScopedRequest, found: CodeList, verb: str, *, ids: list[int] | None
) -> HttpResponseBase:
    """Send or retrieve, and show the result of the click."""
    access = request.access
    if verb not in ("send", "retrieve"):
        messages.error(request, "Nothing was done: choose Send or Retrieve.")
        return redirect(_back(request, found))
    require(access, f"codes.{verb}")
    if verb == "retrieve":
        done = send_to_erp.retrieve(found, access=access, ids=ids)
        return redirect("erp:request", access.account.pk, done.request_id)
    return _send(request, found, ids)


def _send(request: ScopedRequest, found: CodeList, ids: list[int] | None) -> HttpResponseBase:
    """Send, very many only after a question; a stale page is told and not acted on."""
    access = request.access
    button = send_to_erp.button(found, access)
    if button is None:
        messages.error(request, f"Nothing was sent: {found} belongs to no ERP.")
        return redirect(_back(request, found))
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    seen = number(request.POST.get("list_seen", ""))
    count = min(button.count, most) if ids is None else len(ids)
    if seen == found.revision and must_ask(request, count):
        return _ask_to_send(request, found, count)
    try:
        note = request.POST.get("note", "")
        done = send_to_erp.send(found, access=access, seen=seen, ids=ids, note=note)
    except ValidationError as wrong:
        messages.error(request, f"Nothing was sent. {' '.join(wrong.messages)}")
        return redirect(_back(request, found))
    except Stale as stale:
        now = "You see it now as it is: look at it, then send."
        messages.error(request, f"Nothing was sent. {stale} {now}")
        return redirect(_back(request, found))
    if ids is None and button.count > most:
        message = (
            f"One click takes {most:,} of the {button.count:,} codes; send again for the rest."
        )
        messages.warning(request, message)
    return redirect("erp:request", access.account.pk, done.request_id)


def _ask_to_send(request: ScopedRequest, found: CodeList, count: int) -> HttpResponse:
    return ask(
        request,
        f"Send {_counted(count)} to the ERP?",
        what=[
            "Accounting sees them at once. They are locked until a decision is made.",
            "A code above one of them that the ERP does not have goes along.",
        ],
        confirm="Send to ERP",
        back=_back(request, found),
        keep=("action", "verb", "query", "list_seen", "note", "all", "ids"),
    )


def _change(
    request: ScopedRequest, found: CodeList, action: str, ids: list[int]
) -> HttpResponseBase:
    """Deactivate, reactivate, or delete after asking."""
    if action == "delete":
        if "confirm" not in request.POST:
            return _ask(request, found, ids)
        if number(request.POST.get("list_seen", "")) != found.revision:
            messages.error(request, f"Nothing was deleted. {send_to_erp.changed_since(found)}")
            return redirect(_back(request, found))
    try:
        outcome = ACTS[action](found, ids, by=request.user)
    except CodeRefused as refused:
        messages.error(request, str(refused))
        return redirect(_back(request, found))
    if outcome.done:
        messages.success(request, f"{_counted(outcome.done)} {DONE[action]}.")
    if not outcome.left:
        return redirect(_back(request, found))
    return _result(request, found, action, outcome)


def _ask(request: ScopedRequest, found: CodeList, ids: list[int]) -> HttpResponse:
    posted = request.POST
    chosen = [("all", "1")] if posted.get("all") else [("ids", str(pk)) for pk in ids]
    context = {
        "question": f"Delete {_counted(len(ids))}?",
        "what": [
            "Only codes that were never used are deleted. Each that stays is listed with its "
            "reason.",
            "This cannot be undone. A code that may be needed again can be deactivated instead.",
        ],
        "confirm": "Delete",
        "danger": True,
        "cancel_href": _back(request, found),
        "hidden": [
            ("action", "delete"),
            ("query", posted.get("query", "")),
            ("list_seen", str(found.revision)),
            *chosen,
        ],
    }
    return render(request, "parts/confirm.html", context)


def _result(request: ScopedRequest, found: CodeList, action: str, outcome: Outcome) -> HttpResponse:
    context = {
        "list": found,
        "action": action,
        "heading": f"{_counted(len(outcome.left))} Not {DONE[action].title()}",
        "left": outcome.left[:MOST_REASONS],
        "more": max(0, len(outcome.left) - MOST_REASONS),
        "back": _back(request, found),
    }
    return render(request, "wbs/many_result.html", context)


def _chosen(found: CodeList, posted: QueryDict, *, most: int) -> list[int]:
    """The ticked codes of the list, or all that match; capped above ``most``."""
    if posted.get("all"):
        rows = matching(found, QueryDict(posted.get("query", "")))
    else:
        ticked = numbers(posted.getlist("ids"))[: most + 1]
        rows = found.codes.filter(pk__in=ticked)
    return list(rows.order_by("sort_path").values_list("pk", flat=True)[: most + 1])


def _back(request: ScopedRequest, found: CodeList) -> str:
    """The page that was clicked on."""
    home = reverse("admin_wbs:list", args=[request.access.account.pk, found.pk])
    query = QueryDict(request.POST.get("query", "")).urlencode()
    return f"{home}?{query}" if query else home


def _counted(number: int) -> str:
    return "1 Code" if number == 1 else f"{number:,} Codes"

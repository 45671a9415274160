"""The page on which cost types are ticked for the codes of the ERP list."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from admin_wbs.cost_types import code_cost_types
from admin_wbs.cost_types.code_cost_types import Tick
from admin_wbs.errors import ReadOnly
from admin_wbs.models import CodeList, CostType
from admin_wbs.segments import default_structure
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import LARGEST_ID
from erpbridge.ui import page_params
from erpbridge.ui.listing import list_page

GET_OR_POST = ("GET", "HEAD", "POST")
# At most as many digits as the largest id has.
PAIR = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_VIEW)
def cost_types_of_codes(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Codes in rows, cost types in columns. A POST saves the ticks without JavaScript."""
    code_list = _list(request.access, list_id)
    if request.method != "POST":
        return render(request, "wbs/matrix.html", _context(request, code_list))
    require(request.access, Permission.CODES_ASSIGN_TYPES)
    # Only the boxes that the person has changed, so that ticks of others stay.
    before = _pairs(request.POST.get("was", "").split())
    after = _pairs(request.POST.getlist("ticks"))
    try:
        changed = code_cost_types.tick(
            code_list, on=after - before, off=before - after, by=request.user
        )
    except ReadOnly as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"Saved {changed:,} change{'' if changed == 1 else 's'}.")
    # Back to the same page of the matrix, with its search.
    return redirect(request.get_full_path())


@require_POST
@scoped(Permission.CODES_ASSIGN_TYPES)
def tick(request: ScopedRequest, list_id: int) -> HttpResponse:
    """Save one box as soon as it is ticked; the response tells the result."""
    code_list = _list(request.access, list_id)
    pairs = _pairs([request.POST.get("pair", "")])
    ticked = request.POST.get("on") == "1"
    on = pairs if ticked else set()
    code = code_cost_types.rows(code_list).filter(pk__in=[code for code, _ in pairs]).first()
    type_ids = [type_id for _, type_id in pairs]
    cost_type = CostType.objects.filter(account=code_list.account_id, pk__in=type_ids).first()
    if code is None or cost_type is None:
        why = "The code or the cost type has been deleted. Reload the page."
        return render(request, "wbs/parts/ticked.html", {"why": [why]})
    try:
        code_cost_types.tick(code_list, on=on, off=pairs - on, by=request.user)
    except ReadOnly as refused:
        return render(request, "wbs/parts/ticked.html", {"why": [str(refused)]})
    message = f"{code.full_code}: {cost_type} {code_cost_types.WORDS[ticked]}. Saved."
    return render(request, "wbs/parts/ticked.html", {"said": message})


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_ASSIGN_TYPES)
def tick_column(request: ScopedRequest, list_id: int, type_id: int) -> HttpResponseBase:
    """Ask, then tick a cost type for all codes that match the search."""
    code_list = _list(request.access, list_id)
    cost_type = get_object_or_404(CostType.objects.visible_to(request.access), pk=type_id)
    words = page_params.words(request.GET)
    back = reverse("admin_wbs:matrix", args=[code_list.account_id, code_list.pk])
    back = f"{back}?{urlencode({'q': words})}" if words else back
    if request.method == "POST":
        ticked = request.POST.get("ticked") == "1"
        try:
            changed = code_cost_types.tick_column(
                code_list, cost_type, words=words, ticked=ticked, by=request.user
            )
        except ReadOnly as refused:
            messages.error(request, str(refused))
        else:
            done = "Ticked" if ticked else "Unticked"
            codes = f"{changed:,} code{'' if changed == 1 else 's'}"
            messages.success(request, f"{done} {cost_type} for {codes}.")
        return redirect(back)
    return _ask_column(request, code_list, cost_type, words=words, back=back)


def _ask_column(
    request: ScopedRequest, code_list: CodeList, cost_type: CostType, *, words: str, back: str
) -> HttpResponse:
    codes = code_cost_types.rows(code_list).search(words)
    count = codes.count()
    missing = code_cost_types.without(codes, cost_type).count()
    # The heading of a column is one button: it unticks where every code has the type.
    verb, number = ("Tick", missing) if missing else ("Untick", count)
    which = f"that match “{words}”" if words else f"of {code_list}"
    codes_text = f"{number:,} code{'' if number == 1 else 's'}"
    what = [f"{count:,} active code{'' if count == 1 else 's'} {which}; {missing:,} without it."]
    context = {
        "question": f"{verb} {cost_type} for {codes_text}?",
        "what": what,
        "confirm": verb,
        "hidden": [("ticked", "1" if missing else "0")],
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)


def _list(access: Access, list_id: int) -> CodeList:
    # The matrix has a column for each cost type, so the defaults have to exist.
    default_structure.ensure(access.account.pk)
    return get_object_or_404(CodeList.objects.visible_to(access), pk=list_id)


def _context(request: ScopedRequest, code_list: CodeList) -> dict[str, object]:
    refusal = code_cost_types.refusal(code_list)
    page = list_page(
        code_cost_types.rows(code_list),
        request.GET,
        sorts={"code": "sort_path"},
        search=lambda codes, words: codes.search(words),  # type: ignore[attr-defined]
    )
    ticks = code_cost_types.ticks_of(page.rows)
    types = list(CostType.objects.visible_to(request.access).in_order())
    rows = [
        (code, [(cost_type, (code.pk, cost_type.pk) in ticks) for cost_type in types])
        for code in page.rows
    ]
    may_edit = request.access.can(Permission.CODES_ASSIGN_TYPES)
    return {
        "list": code_list,
        "page": page,
        "types": types,
        "rows": rows,
        "was": " ".join(f"{code}-{cost_type}" for code, cost_type in sorted(ticks)),
        "refusal": refusal,
        "may_edit": may_edit,
        "enabled": bool(may_edit) and not refusal,
    }


def _pairs(texts: list[str]) -> set[Tick]:
    """Parse the values of boxes, ``code-type``; anything else is ignored."""
    matches = [PAIR.fullmatch(text) for text in texts]
    pairs = {(int(match[1]), int(match[2])) for match in matches if match}
    # A query with a larger number fails.
    return {pair for pair in pairs if max(pair) <= LARGEST_ID}

"""Check against another ERP: the codes of a list that it would not take, on a page and as CSV."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header, urlencode
from django.views.decorators.http import require_safe

from admin_wbs.cost_codes.list_views import visible_list
from admin_wbs.erp import dry_run
from admin_wbs.erp.dry_run import Verdict
from erp_integrations.sendable import AdapterUnavailable, InstalledAdapter
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.files.slices import sliced
from erpbridge.ui.navigation import Tab


@require_safe
@scoped(Permission.CODES_VIEW)
def check(request: ScopedRequest, list_id: int) -> HttpResponse:
    """Choose an ERP; then a page of failing codes, with tabs by rule."""
    code_list = visible_list(request.access, list_id)
    offered = dry_run.offered()
    adapter = _chosen(request, offered)
    context: dict[str, object] = {"list": code_list, "offered": offered, "chosen": adapter}
    if adapter is not None:
        try:
            context |= _answer(request, dry_run.check(code_list, adapter))
        except AdapterUnavailable as problem:
            context["unavailable"] = str(problem)
    return render(request, "wbs/check.html", context)


@require_safe
@scoped(Permission.CODES_VIEW)
def failures(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """All failing codes as CSV."""
    code_list = visible_list(request.access, list_id)
    adapter = _chosen(request, dry_run.offered())
    if adapter is None:
        raise Http404
    try:
        verdict = dry_run.check(code_list, adapter)
    except AdapterUnavailable as problem:
        messages.error(request, str(problem))
        return redirect("admin_wbs:check", code_list.account_id, code_list.pk)
    name = content_disposition_header(True, f"{code_list.name} - {adapter.label}.csv")
    return StreamingHttpResponse(
        dry_run.as_csv(verdict.failing),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": name or ""},
    )


def _chosen(request: ScopedRequest, offered: list[InstalledAdapter]) -> InstalledAdapter | None:
    key = request.GET.get("erp", "")
    return next((adapter for adapter in offered if adapter.key == key), None)


def _answer(request: ScopedRequest, verdict: Verdict) -> dict[str, object]:
    rule = request.GET.get("rule", "")
    # The list may have been corrected since the link was made.
    rule = rule if rule in verdict.by_rule else ""
    page = sliced(verdict.breaking(rule), request.GET.get("page", ""))
    key = verdict.adapter.key
    query = urlencode({"erp": key, **({"rule": rule} if rule else {})})
    return {"verdict": verdict, "slice": page, "tabs": _tabs(verdict, rule), "query": query}


def _tabs(verdict: Verdict, current: str) -> list[Tab]:
    erp = {"erp": verdict.adapter.key}
    tabs = [Tab("All", f"?{urlencode(erp)}", not current, f"{len(verdict.failing):,}")]
    for rule, count in verdict.by_rule.items():
        href = f"?{urlencode({**erp, 'rule': rule})}"
        tabs.append(Tab(rule, href, rule == current, f"{count:,}"))
    return tabs

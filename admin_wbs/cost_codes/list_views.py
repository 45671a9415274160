"""Pages of the lists themselves: table, add, settings, copy."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from admin_wbs.cost_codes import copy_list, list_services
from admin_wbs.cost_codes.forms import ListForm
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.numbers import number

METHODS = ["GET", "HEAD", "POST"]


@require_safe
@scoped(Permission.CODES_VIEW)
def code_lists(request: ScopedRequest) -> HttpResponseBase:
    """The account's lists; if there is only one, redirect to its codes."""
    access = request.access
    lists = CodeList.objects.visible_to(access).with_counts().order_by("name")
    # docs/design/sending-to-erp.md, "Sending cost codes". The trail above the codes links back with
    # ``all``.
    if len(lists) == 1 and "all" not in request.GET:
        return redirect("admin_wbs:list", access.account.pk, lists[0].pk)
    present = sendable.connected(access.account.pk, list_services.CODE)
    context = {
        "lists": lists,
        "present": present.connection_id if present else 0,
        "may_edit": bool(access.can(Permission.CODES_EDIT)),
        "may_connect": present is None and bool(access.can(Permission.CONNECTION_CONFIGURE)),
    }
    return render(request, "wbs/lists.html", context)


@require_http_methods(METHODS)
@scoped(Permission.CODES_EDIT)
def list_add(request: ScopedRequest) -> HttpResponseBase:
    """Add a list."""
    form = ListForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            created = list_services.create(
                account=request.access.account, **form.cleaned_data, by=request.user
            )
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            messages.success(request, f"{created.name} was added.")
            return redirect("admin_wbs:list", request.access.account.pk, created.pk)
    return render(request, "wbs/list_form.html", {"form": form})


@require_http_methods(METHODS)
@scoped(Permission.CODES_EDIT)
def list_settings(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Change the name, and whether new projects can use the list."""
    code_list = visible_list(request.access, list_id)
    form = ListForm(request.POST if request.method == "POST" else None, code_list=code_list)
    if request.method == "POST" and form.is_valid():
        try:
            list_services.change(code_list, values=form.cleaned_data, by=request.user)
        except ValidationError as wrong:
            form.add_error(None, wrong)
        else:
            messages.success(request, f"The settings of {form.cleaned_data['name']} were updated.")
            return redirect("admin_wbs:list", request.access.account.pk, code_list.pk)
    return render(request, "wbs/list_form.html", {"form": form, "list": code_list})


@require_http_methods(METHODS)
@scoped(Permission.CODES_EDIT)
def list_copy(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Copy the codes of another list into this one, after a preview."""
    target = visible_list(request.access, list_id)
    others = CodeList.objects.visible_to(request.access).exclude(pk=target.pk).order_by("name")
    params = request.POST if request.method == "POST" else request.GET
    source = others.filter(pk=number(params.get("source", ""))).first()
    if request.method == "POST" and source is not None:
        seen = (
            number(params.get("seen", "")),
            number(params.get("list_seen", "")),
        )
        try:
            count = copy_list.copy(source, target, seen=seen, by=request.user)
        except CodeRefused as refused:
            messages.error(request, str(refused))
            # The page below shows the list as it is now, with its new revision.
            target.refresh_from_db()
        else:
            codes = "1 code was" if count == 1 else f"{count:,} codes were"
            messages.success(request, f"{codes} copied from {source}.")
            return redirect("admin_wbs:list", request.access.account.pk, target.pk)
    return _copy_page(request, target, source, others.with_counts())


def _copy_page(
    request: ScopedRequest, target: CodeList, source: CodeList | None, others: object
) -> HttpResponse:
    context = {
        "list": target,
        "others": others,
        "source": source,
        "read_only": list_services.read_only(target),
        "plan": copy_list.plan(source, target) if source else None,
    }
    return render(request, "wbs/copy.html", context)


def visible_list(access: Access, list_id: int) -> CodeList:
    """A list that the person can see. :raises Http404: for any other."""
    code_list: CodeList = get_object_or_404(
        CodeList.objects.visible_to(access).select_related("account", "changed_by"), pk=list_id
    )
    return code_list

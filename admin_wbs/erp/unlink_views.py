"""Unlink a synced cost code: usage check, reason, confirmation."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import unlink as erp_unlink
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList, CostCode
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.ui.confirmation.second_click import deleted_already, deletion, ended_already
from erpbridge.ui.forms import PlainTexts


class UnlinkForm(PlainTexts, forms.Form):
    """The reason, and whether to include codes below and to delete."""

    reason = forms.CharField(
        label="Reason", max_length=300, help_text="Kept in the history of each code."
    )
    with_below = forms.BooleanField(label="Unlink the linked codes under it too", required=False)
    delete = forms.BooleanField(
        label="Delete from the list afterwards",
        required=False,
        help_text="The ERP keeps what it has.",
    )
    # Limited to what the column holds, so that no posted number makes a query fail.
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CODES_UNLINK)
def unlink(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """Ask, showing everything that uses the code; then unlink it."""
    visible = CostCode.objects.visible_to(request.access).select_related("list")
    code = visible.filter(pk=code_id).first()
    if code is None:
        return _deleted(request, code_id)
    # A second click, or somebody else was first.
    if request.method == "POST" and not code.origin_id:
        back = reverse("admin_wbs:code", args=[code.account_id, code.pk])
        return ended_already(request, f"{code} is not linked to the ERP any more.", back=back)
    check = erp_unlink.usage(code)
    form = UnlinkForm(request.POST or None, initial={"seen": code.list.revision})
    if not check.linked_below:
        del form.fields["with_below"]
    if check.keeps:
        del form.fields["delete"]
    if request.method == "POST" and form.is_valid():
        response = _done(request, code, form)
        if response is not None:
            return response
    return render(request, "wbs/unlink.html", {"code": code, "check": check, "form": form})


def _deleted(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """The page for a code that an earlier click unlinked and deleted."""
    # The event holds the list: the code that could name it is gone.
    event = deletion(request, list_services.CODE, code_id)
    visible = CodeList.objects.visible_to(request.access).filter(pk=event.data.get("list"))
    name, *place = ("list", visible[0].pk) if visible else ("lists",)
    back = reverse(f"admin_wbs:{name}", args=[request.access.account.pk, *place])
    return deleted_already(request, event, back=back)


def _done(request: ScopedRequest, code: CostCode, form: UnlinkForm) -> HttpResponseBase | None:
    values = form.cleaned_data
    delete = values.get("delete", False)
    try:
        count = erp_unlink.unlink(
            code,
            by=request.user,
            why=values["reason"],
            seen=values["seen"],
            with_below=values.get("with_below", False),
            delete=delete,
        )
    except CodeRefused as refused:
        # The checkbox may have been taken off the form, when nothing linked was under the code.
        field = refused.field if refused.field in form.fields else None
        form.add_error(field, str(refused))
        return None
    action = "unlinked and deleted" if delete else "unlinked"
    message = f"{code} was {action}." if count == 1 else f"{count:,} codes were {action}."
    messages.success(request, message)
    if delete:
        return redirect("admin_wbs:list", request.access.account.pk, code.list_id)
    return redirect("admin_wbs:code", request.access.account.pk, code.pk)

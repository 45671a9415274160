"""Unlinking a synced cost code: the usage check, the reason, the second click."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from admin_wbs import unlinking
from admin_wbs.models import CostCode
from admin_wbs.refusals import CodeRefused
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.ui.forms import PlainTexts


class UnlinkForm(PlainTexts, forms.Form):
    """Why, and what goes along."""

    reason = forms.CharField(
        label="Reason", max_length=300, help_text="Kept in the history of each code."
    )
    with_below = forms.BooleanField(label="Unlink the linked codes under it too", required=False)
    delete = forms.BooleanField(
        label="Delete from the list afterwards",
        required=False,
        help_text="The ERP keeps what it has.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("codes.unlink")
def unlink(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """Ask, with everything that uses the code in sight; then do it."""
    visible = CostCode.objects.visible_to(request.access).select_related("list")
    code = get_object_or_404(visible, pk=code_id)
    check = unlinking.usage(code)
    form = UnlinkForm(request.POST or None, initial={"seen": code.list.revision})
    if not check.linked_below:
        del form.fields["with_below"]
    if check.keeps:
        del form.fields["delete"]
    if request.method == "POST" and form.is_valid():
        answer = _done(request, code, form)
        if answer is not None:
            return answer
    return render(request, "wbs/unlink.html", {"code": code, "check": check, "form": form})


def _done(request: ScopedRequest, code: CostCode, form: UnlinkForm) -> HttpResponseBase | None:
    given = form.cleaned_data
    delete = given.get("delete", False)
    try:
        number = unlinking.unlink(
            code,
            by=request.user,
            why=given["reason"],
            seen=given["seen"],
            with_below=given.get("with_below", False),
            delete=delete,
        )
    except CodeRefused as refused:
        field = refused.field if refused.field in form.fields else None
        form.add_error(field, str(refused))
        return None
    what = "unlinked and deleted" if delete else "unlinked"
    words = f"{code} was {what}." if number == 1 else f"{number:,} codes were {what}."
    messages.success(request, words)
    if delete:
        return redirect("admin_wbs:list", request.access.account.pk, code.list_id)
    return redirect("admin_wbs:code", request.access.account.pk, code.pk)

"""Pages of the cost types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.errors import SegmentRefused
from admin_wbs.models import CostType
from admin_wbs.segments import default_structure
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.audit.models import Event
from erpbridge.ui.confirmation.confirm_delete import ask_then_delete
from erpbridge.ui.confirmation.second_click import deleted_already, deletion
from erpbridge.ui.forms import PlainTexts

GET_OR_POST = ("GET", "HEAD", "POST")
MOST_HISTORY = 50


class CostTypeForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]
    """Code and label of a cost type, and the base type of one that is not a default."""

    class Meta:
        model = CostType
        fields = ("code", "label", "base_type")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["base_type"].help_text = "How reports classify it, whatever its label is."
        # docs/design/work-breakdown-structure.md, "Cost types": defaults may be renamed only.
        self.fields["base_type"].disabled = self.instance.is_default


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_VIEW)
def cost_type_list(request: ScopedRequest) -> HttpResponseBase:
    """The cost types of the account; a POST adds one."""
    access = request.access
    # An account has its defaults from the first time that somebody looks at them.
    default_structure.ensure(access.account.pk)
    form = CostTypeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require(access, Permission.CODES_EDIT)
        if form.is_valid():
            try:
                created = cost_type_services.add(
                    access.account, by=request.user, **form.cleaned_data
                )
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, f"Added the cost type {created}.")
                return redirect(request.path)
    types = CostType.objects.visible_to(access).in_order().with_ticks()
    context = {"types": types, "form": form, "may_edit": access.can(Permission.CODES_EDIT)}
    return render(request, "wbs/cost_types.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def cost_type(request: ScopedRequest, type_id: int) -> HttpResponseBase:
    """Code and label of a cost type, and its history."""
    cost_type = get_object_or_404(CostType.objects.visible_to(request.access), pk=type_id)
    # For the heading, because the form writes what was typed to the instance.
    title = str(cost_type)
    form = CostTypeForm(request.POST if request.method == "POST" else None, instance=cost_type)
    if request.method == "POST" and form.is_valid():
        try:
            changed = cost_type_services.change(
                cost_type, values=form.cleaned_data, by=request.user
            )
        except (ValidationError, SegmentRefused) as error:
            form.add_error(None, error if isinstance(error, ValidationError) else str(error))
        else:
            messages.success(request, f"Saved the cost type {changed}.")
            return redirect("admin_wbs:cost_types", cost_type.account_id)
    history = Event.objects.about(cost_type.account_id, cost_type_services.COST_TYPE, cost_type.pk)
    context = {"form": form, "title": title, "history": history[:MOST_HISTORY]}
    return render(request, "wbs/cost_type.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def cost_type_delete(request: ScopedRequest, type_id: int) -> HttpResponseBase:
    """Ask, then delete a cost type of the account's own."""
    back = reverse("admin_wbs:cost_types", args=[request.access.account.pk])
    cost_type = CostType.objects.visible_to(request.access).filter(pk=type_id).first()
    if cost_type is None:
        return deleted_already(
            request, deletion(request, cost_type_services.COST_TYPE, type_id), back=back
        )
    return ask_then_delete(
        request,
        cost_type,
        word="cost type",
        refusal=cost_type_services.delete_refusal(cost_type),
        what=[f"{cost_type} is not ticked for any cost code. This cannot be undone."],
        delete=lambda: cost_type_services.delete(cost_type, by=request.user),
        back=back,
    )

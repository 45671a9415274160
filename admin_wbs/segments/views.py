"""Pages of the segments and of the budget code structure."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import Segment
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from admin_wbs.segments.forms import SegmentForm
from admin_wbs.segments.table import rows_of
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.audit.models import Event
from erpbridge.ui.confirmation.confirm_delete import ask_then_delete
from erpbridge.ui.confirmation.second_click import deleted_already, deletion

GET_OR_POST = ("GET", "HEAD", "POST")
MOST_HISTORY = 50
STEPS = {"up": -1, "down": 1}


@require_safe
@scoped(Permission.CODES_VIEW)
def segment_list(request: ScopedRequest) -> HttpResponse:
    """The segments of the account, and the structure that new projects get."""
    access = request.access
    # An account has its defaults from the first time that somebody looks at them.
    default_structure.ensure(access.account.pk)
    segments = list(Segment.objects.visible_to(access).in_order())
    order = [segment for segment in segments if segment.is_enabled]
    context = {
        "rows": rows_of(access, segments),
        "order": order,
        "preview": default_structure.preview(access.account.pk, order),
        "may_edit": access.can(Permission.CODES_EDIT),
        "add_refusals": [why for why in [segment_services.add_refusal(access.account.pk)] if why],
        "erp_refusal": segment_services.erp_refusal(access.account.pk),
        "has_custom": any(segment.is_custom for segment in segments),
        "moved": request.GET.get("moved", ""),
        "direction": request.GET.get("direction", ""),
    }
    return render(request, "wbs/segments.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def segment_add(request: ScopedRequest) -> HttpResponseBase:
    """Add a custom segment."""
    account = request.access.account
    form = SegmentForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            created = segment_services.add(account, by=request.user, **form.cleaned_data)
        except (ValidationError, SegmentRefused) as error:
            _add_error(form, error)
        else:
            messages.success(request, f"Added the segment {created}.")
            return redirect("admin_wbs:segment_items", account.pk, created.pk)
    refusal = segment_services.add_refusal(account.pk)
    return render(request, "wbs/segment_add.html", {"form": form, "refusal": refusal})


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def segment(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Name and switches of a custom segment, and its history."""
    segment = get_object_or_404(_customs(request.access), pk=segment_id)
    # For the heading, because the form writes what was typed to the segment.
    name = segment.name
    form = SegmentForm(request.POST if request.method == "POST" else None, instance=segment)
    if request.method == "POST" and form.is_valid():
        try:
            segment_services.change(segment, values=form.cleaned_data, by=request.user)
        except (ValidationError, SegmentRefused) as error:
            _add_error(form, error)
        else:
            messages.success(request, f"Saved the segment {segment}.")
            return redirect("admin_wbs:segments", segment.account_id)
    history = Event.objects.about(segment.account_id, segment_services.SEGMENT, segment.pk)[
        :MOST_HISTORY
    ]
    context = {"form": form, "segment": segment, "name": name, "history": history}
    return render(request, "wbs/segment.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def segment_delete(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Ask, then delete a custom segment."""
    back = reverse("admin_wbs:segments", args=[request.access.account.pk])
    # Not ``get_object_or_404``: a second click on Delete finds nothing, and is told so.
    segment = _customs(request.access).filter(pk=segment_id).first()
    if segment is None:
        return deleted_already(
            request, deletion(request, segment_services.SEGMENT, segment_id), back=back
        )
    count = segment.items.count()
    what = [f"{segment} leaves the budget code structure of new projects."]
    if count:
        what.append(f"Its {count:,} item{'' if count == 1 else 's'} will be deleted with it.")
    return ask_then_delete(
        request,
        segment,
        word="segment",
        refusal=segment_services.delete_refusal(segment),
        what=what,
        delete=lambda: segment_services.delete(segment, by=request.user),
        back=back,
    )


@require_POST
@scoped(Permission.CODES_EDIT)
def segment_switch(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Enable or disable Sub Job."""
    segment = get_object_or_404(Segment.objects.visible_to(request.access), pk=segment_id)
    on = request.POST.get("on") == "1"
    try:
        segment_services.enable(segment, on=on, by=request.user)
    except SegmentRefused as refused:
        messages.error(request, str(refused))
    else:
        change = "is part of the budget codes of new projects" if on else "is disabled"
        messages.success(request, f"{segment} {change}. Projects that exist keep what they have.")
    return redirect("admin_wbs:segments", segment.account_id)


@require_POST
@scoped(Permission.CODES_EDIT)
def segment_move(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Move a segment up or down; afterwards its button has the focus again."""
    segment = get_object_or_404(Segment.objects.visible_to(request.access), pk=segment_id)
    direction = request.POST.get("direction", "")
    back = reverse("admin_wbs:segments", args=[segment.account_id])
    if direction not in STEPS:
        messages.error(request, "Choose Move up or Move down.")
        return redirect(back)
    try:
        segment_services.move(segment, step=STEPS[direction], by=request.user)
    except SegmentRefused as refused:
        messages.error(request, str(refused))
        return redirect(back)
    # The page gives the focus back to the button, for the next step by keyboard.
    return redirect(f"{back}?moved={segment.pk}&direction={direction}")


def _customs(access: Access) -> QuerySet[Segment]:
    return Segment.objects.visible_to(access).filter(kind=Segment.Kind.CUSTOM)


def _add_error(form: SegmentForm, error: ValidationError | SegmentRefused) -> None:
    form.add_error(None, error if isinstance(error, ValidationError) else str(error))

"""The page of a custom segment's items: a table, or a tree, in which they are added and edited."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from admin_wbs import segment_items
from admin_wbs.models import Segment, SegmentItem
from admin_wbs.refusals import Outcome, SegmentRefused
from admin_wbs.segment_forms import ItemForm
from erpbridge.access.policy import Access
from erpbridge.access.scoping import LARGEST_ID, ScopedRequest, require, scoped
from erpbridge.ui.listing import list_page

GET_OR_POST = ("GET", "HEAD", "POST")
CONFLICT = 409
ACTIONS = {
    "deactivate": ("Deactivated", segment_items.deactivate),
    "reactivate": ("Reactivated", segment_items.reactivate),
    "delete": ("Deleted", segment_items.delete),
}


@require_http_methods(GET_OR_POST)
@scoped("codes.view")
def items(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """The items of a segment; a POST adds one, under the item of ``under``."""
    segment = _custom(request.access, segment_id)
    under = _item(segment, request.GET.get("under", ""))
    if request.method != "POST":
        return _page(request, segment, under=under)
    require(request.access, "codes.edit")
    form = ItemForm(request.POST, prefix="new")
    if form.is_valid():
        try:
            made = segment_items.add(segment, parent=under, by=request.user, **form.cleaned_data)
        except (ValidationError, SegmentRefused) as error:
            _show(form, error)
        else:
            messages.success(request, f"Added {made}.")
            query = {"under": under.pk} if under else {}
            return redirect(f"{request.path}?{urlencode({**query, 'added': made.pk})}")
    return _page(request, segment, under=under, form=form, status=CONFLICT)


@require_http_methods(GET_OR_POST)
@scoped("codes.edit")
def item(request: ScopedRequest, segment_id: int, item_id: int) -> HttpResponseBase:
    """Edit an item in its row."""
    segment = _custom(request.access, segment_id)
    found = get_object_or_404(segment.items.select_related("segment", "parent"), pk=item_id)
    form = ItemForm(request.POST or None, instance=found, prefix="edit")
    if request.method != "POST" or not form.is_valid():
        return _page(request, segment, editing=found, edit_form=form)
    seen = request.POST.get("seen", "")
    try:
        segment_items.edit(
            found,
            values=form.cleaned_data,
            seen=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0,
            by=request.user,
        )
    except (ValidationError, SegmentRefused) as error:
        _show(form, error)
        return _page(request, segment, editing=found, edit_form=form, status=CONFLICT)
    messages.success(request, f"Saved {form.cleaned_data['code']}.")
    home = reverse("admin_wbs:segment_items", args=[segment.account_id, segment.pk])
    # The edit was opened from a page of the table, which its address carries along.
    return redirect(f"{home}?{request.GET.urlencode()}#item-{found.pk}")


@require_POST
@scoped("codes.edit")
def items_act(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Deactivate, reactivate or delete the ticked items; deleting asks first."""
    segment = _custom(request.access, segment_id)
    back = reverse("admin_wbs:segment_items", args=[segment.account_id, segment.pk])
    action = request.POST.get("action", "")
    ids = sorted({int(text) for text in request.POST.getlist("ids") if _is_id(text)})
    if action not in ACTIONS or not ids:
        messages.error(request, "Tick the items first, then choose what to do with them.")
        return redirect(back)
    if action == "delete" and "confirm" not in request.POST:
        return _ask(request, ids, back=back)
    done, act = ACTIONS[action]
    try:
        _tell(request, done, act(segment, ids, by=request.user))
    except SegmentRefused as refused:
        messages.error(request, str(refused))
    return redirect(back)


def _ask(request: ScopedRequest, ids: list[int], *, back: str) -> HttpResponse:
    count = f"{len(ids):,} Item{'' if len(ids) == 1 else 's'}"
    context = {
        "question": f"Delete {count}?",
        "what": ["What is in use stays, and you are told why."],
        "confirm": "Delete",
        "danger": True,
        "hidden": [("action", "delete"), *(("ids", pk) for pk in ids)],
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)


def _tell(request: ScopedRequest, done: str, outcome: Outcome) -> None:
    if outcome.done:
        plural = "" if outcome.done == 1 else "s"
        messages.success(request, f"{done} {outcome.done:,} item{plural}.")
    for one in outcome.left:
        messages.error(request, f"{one.label}: {one.why}")


def _page(
    request: ScopedRequest,
    segment: Segment,
    *,
    under: SegmentItem | None = None,
    form: ItemForm | None = None,
    editing: SegmentItem | None = None,
    edit_form: ItemForm | None = None,
    status: int = 200,
) -> HttpResponse:
    page = list_page(
        segment.items.all(),
        request.GET,
        sorts={"code": "sort_path"},
        search=lambda found, words: found.search(words),  # type: ignore[attr-defined]
    )
    if editing is not None and editing not in page.rows:
        page.rows.insert(0, editing)
    context: dict[str, Any] = {
        "segment": segment,
        "page": page,
        "under": under,
        "form": form or _new_form(request),
        "editing": editing,
        "edit_form": edit_form,
        "may_edit": request.access.can("codes.edit"),
    }
    return render(request, "wbs/items.html", context, status=status)


def _new_form(request: ScopedRequest) -> ItemForm:
    """The row to add with; the cursor is in it for who is adding one after the other."""
    form = ItemForm(prefix="new")
    if "added" in request.GET or "under" in request.GET:
        form.fields["code"].widget.attrs["autofocus"] = True
    return form


def _custom(access: Access, segment_id: int) -> Segment:
    custom = Segment.objects.visible_to(access).filter(kind=Segment.Kind.CUSTOM)
    return get_object_or_404(custom, pk=segment_id)


def _item(segment: Segment, text: str) -> SegmentItem | None:
    return segment.items.filter(pk=int(text)).first() if _is_id(text) else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID


def _show(form: ItemForm, error: ValidationError | SegmentRefused) -> None:
    form.add_error(None, error if isinstance(error, ValidationError) else str(error))

"""The items of a custom segment: a table or tree in which they are added and edited."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_wbs.errors import SegmentRefused, StaleItem
from admin_wbs.models import Segment, SegmentItem
from admin_wbs.segments import items as segment_items
from admin_wbs.segments.forms import ItemForm
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.refusals import BulkResult, Left
from erpbridge.ui import page_params
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED
from erpbridge.ui.listing import list_page

GET_OR_POST = ("GET", "HEAD", "POST")
CONFLICT = 409
ACTIONS = {
    "deactivate": ("Deactivated", segment_items.deactivate),
    "reactivate": ("Reactivated", segment_items.reactivate),
    "delete": ("Deleted", segment_items.delete),
}


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_VIEW)
def items(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """The items of a segment. A POST adds one, under the item in ``under``."""
    segment = _custom(request.access, segment_id)
    # In the query also with a POST, because the address of the form is that of the page.
    under = segment.items.filter(pk=number(request.GET.get("under", ""))).first()
    if request.method != "POST":
        return _page(request, segment, under=under)
    require(request.access, Permission.CODES_EDIT)
    is_part = bool(request.htmx)
    # In a part of a page the ids differ from those of other typed rows.
    row = page_params.typed_row(request.POST) if is_part else "id"
    # Prefixes, because a page may hold this form and the one of the row that is being edited.
    form = ItemForm(request.POST, prefix="new", auto_id=f"{row}_%s")
    created = _add(request, segment, under=under, form=form)
    if not is_part:
        if created is None:
            return _page(request, segment, under=under, form=form, status=CONFLICT)
        messages.success(request, f"Added {created}.")
        query = {"under": under.pk} if under else {}
        return redirect(f"{request.path}?{urlencode({**query, 'added': created.pk})}")
    if created is not None:
        return _saved(request, segment, created, message=f"Added {created}.")
    context = _row_context(request, segment, under=under)
    typed = {"form": form, "key": page_params.typed_row(request.POST)}
    return render(request, "wbs/parts/typed_item.html", context | typed)


def _add(
    request: ScopedRequest, segment: Segment, *, under: SegmentItem | None, form: ItemForm
) -> SegmentItem | None:
    """Add an item; None if the form has errors now."""
    if not form.is_valid():
        return None
    try:
        return segment_items.add(segment, parent=under, by=request.user, **form.cleaned_data)
    except (ValidationError, SegmentRefused) as error:
        stored = _stored_before(request, segment, under=under, form=form)
        if stored is None:
            _add_error(form, error)
        return stored


@require_http_methods(GET_OR_POST)
@scoped(Permission.CODES_EDIT)
def item(request: ScopedRequest, segment_id: int, item_id: int) -> HttpResponseBase:
    """Edit an item in its row."""
    segment = _custom(request.access, segment_id)
    stored = _stored_item(segment, item_id)
    ids = f"item{stored.pk}_%s"
    form = ItemForm(request.POST or None, instance=stored, prefix="edit", auto_id=ids)
    if request.method != "POST":
        return _edit(request, segment, item_id, form)
    seen = number(request.POST.get("seen", ""))
    if not form.is_valid():
        return _edit(request, segment, item_id, form, seen=seen)
    try:
        saved = segment_items.edit(stored, values=form.cleaned_data, seen=seen, by=request.user)
    except StaleItem as stale:
        # The message names the current version, so the next save overwrites it knowingly.
        _add_error(form, stale)
        return _edit(request, segment, item_id, form, status=CONFLICT)
    except (ValidationError, SegmentRefused) as error:
        _add_error(form, error)
        return _edit(request, segment, item_id, form, seen=seen, status=CONFLICT)
    message = f"Saved {form.cleaned_data['code']}."
    if request.htmx:
        return _saved(request, segment, saved, message=message, focused=True)
    messages.success(request, message)
    home = reverse("admin_wbs:segment_items", args=[segment.account_id, segment.pk])
    # The edit was opened from a page of the table, which its address carries along.
    return redirect(f"{home}?{request.GET.urlencode()}#item-{saved.pk}")


@require_safe
@scoped(Permission.CODES_VIEW)
def item_row(request: ScopedRequest, segment_id: int, item_id: int) -> HttpResponseBase:
    """The row of an item after a canceled edit; without JavaScript the table."""
    segment = _custom(request.access, segment_id)
    stored = _stored_item(segment, item_id)
    if not request.htmx:
        return redirect("admin_wbs:segment_items", segment.account_id, segment.pk)
    context = {**_row_context(request, segment), "item": stored}
    return render(request, "wbs/parts/item_row.html", context)


def _edit(
    request: ScopedRequest,
    segment: Segment,
    item_id: int,
    form: ItemForm,
    *,
    seen: int | None = None,
    status: int = 200,
) -> HttpResponse:
    """The row with its fields; without JavaScript within its page.

    :param seen: the revision that the posted page showed; None for the current one.
    """
    stored = _stored_item(segment, item_id)  # form.instance has the typed values
    edit = {"key": f"edit-form-{stored.pk}", "seen": stored.revision if seen is None else seen}
    if not request.htmx:
        return _page(request, segment, editing=stored, edit_form=form, edit=edit, status=status)
    context = _row_context(request, segment) | edit
    return render(request, "wbs/parts/item_edit.html", context | {"item": stored, "form": form})


def _saved(
    request: ScopedRequest,
    segment: Segment,
    saved: SegmentItem,
    *,
    message: str,
    focused: bool = False,
) -> HttpResponse:
    """The response to JavaScript after an item was added or edited."""
    context = _row_context(request, segment) | {"item": saved, "said": message, "focused": focused}
    return render(request, "wbs/parts/item_saved.html", context)


def _stored_before(
    request: ScopedRequest, segment: Segment, *, under: SegmentItem | None, form: ItemForm
) -> SegmentItem | None:
    """The item that an earlier, unanswered request of the same row created, if any."""
    if not request.POST.get("again"):
        return None
    return segment.items.filter(parent=under, **form.cleaned_data).first()


def _row_context(
    request: ScopedRequest, segment: Segment, *, under: SegmentItem | None = None
) -> dict[str, object]:
    """Context of every row of the table."""
    home = reverse("admin_wbs:segment_items", args=[segment.account_id, segment.pk])
    return {
        "segment": segment,
        "may_edit": request.access.can(Permission.CODES_EDIT),
        "items_url": home,
        "under": under,
        "add_url": f"{home}?under={under.pk}" if under else home,
    }


@require_POST
@scoped(Permission.CODES_EDIT)
def items_act(request: ScopedRequest, segment_id: int) -> HttpResponseBase:
    """Deactivate, reactivate or delete the ticked items; deleting asks first."""
    segment = _custom(request.access, segment_id)
    back = reverse("admin_wbs:segment_items", args=[segment.account_id, segment.pk])
    action = request.POST.get("action", "")
    ids = numbers(request.POST.getlist("ids"))
    if not ids:
        messages.warning(request, NOTHING_TICKED)
        return redirect(back)
    if action not in ACTIONS:
        messages.error(request, "Nothing was done: choose what to do with the ticked items.")
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
    count = f"{len(ids):,} item{'' if len(ids) == 1 else 's'}"
    context = {
        "question": f"Delete {count}?",
        "what": ["Items in use are kept, and the result says why."],
        "confirm": "Delete",
        "danger": True,
        "hidden": [("action", "delete"), *(("ids", pk) for pk in ids)],
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)


def _tell(request: ScopedRequest, done: str, result: BulkResult[Left]) -> None:
    if result.done:
        plural = "" if result.done == 1 else "s"
        messages.success(request, f"{done} {result.done:,} item{plural}.")
    elif not result.refused:
        messages.info(request, "The ticked items are not there any more.")
    for item in result.refused:
        messages.error(request, f"{item.label}: {item.why}")


def _page(
    request: ScopedRequest,
    segment: Segment,
    *,
    under: SegmentItem | None = None,
    form: ItemForm | None = None,
    editing: SegmentItem | None = None,
    edit_form: ItemForm | None = None,
    edit: Mapping[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    page = list_page(
        segment.items.all(),
        request.GET,
        sorts={"code": "sort_path"},
        search=lambda rows, words: rows.search(words),  # type: ignore[attr-defined]
    )
    # It may be on another page of the table.
    if editing is not None and editing not in page.rows:
        page.rows.insert(0, editing)
    context: dict[str, object] = {
        **_row_context(request, segment, under=under),
        "page": page,
        "form": form or ItemForm(prefix="new"),
        # Focus the new row, so that several items can be typed one after another.
        "adding": form is not None or bool({"added", "under"} & set(request.GET)),
        "typed": ItemForm(prefix="new", auto_id=f"{page_params.MODEL_ROW}_%s"),
        "editing": editing,
        "edit_form": edit_form,
        "carried": f"?{request.GET.urlencode()}" if request.GET else "",
        **(edit or {}),
    }
    return render(request, "wbs/items.html", context, status=status)


def _custom(access: Access, segment_id: int) -> Segment:
    custom = Segment.objects.visible_to(access).filter(kind=Segment.Kind.CUSTOM)
    return get_object_or_404(custom, pk=segment_id)


def _stored_item(segment: Segment, item_id: int) -> SegmentItem:
    return get_object_or_404(segment.items.select_related("segment", "parent"), pk=item_id)


def _add_error(form: ItemForm, error: ValidationError | SegmentRefused) -> None:
    form.add_error(None, error if isinstance(error, ValidationError) else str(error))

"""Adding and editing a code: in the table with a script, on pages of their own without."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_wbs.cost_codes import history as cost_codes_history
from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.forms import CodeForm, typed_form
from admin_wbs.cost_codes.list_views import METHODS, visible_list
from admin_wbs.cost_codes.page_views import codes_page, erp_context, visible_code
from admin_wbs.cost_codes.table import may, numbers_of, row_of, selected
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.audit.history import held_at
from erpbridge.db.numbers import number
from erpbridge.ui import page_params

CHANGED = "codes-changed"  # the event to which the tree in the page listens


@require_POST
@scoped("codes.edit")
def add(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """A new code under the root, or under the code that the page stands at."""
    found = visible_list(request.access, list_id)
    is_part = page_params.is_part(request)
    form = typed_form(request.POST) if is_part else CodeForm(request.POST, auto_id="add_%s")
    wanted = request.POST.get("at", "")
    at = selected(found, request.POST)
    refused = ""
    if wanted and at is None:
        refused = "The code it was to go under has been deleted. Nothing was saved."
    elif form.is_valid():
        try:
            made = code_services.add(found, **form.cleaned_data, by=request.user, parent=at)
        except ValidationError as wrong:
            stored = _stored_before(request, found, at=at, form=form)
            if stored is not None:
                return _added(request, stored)
            _blame(form, wrong)
        except CodeRefused as why:
            refused = str(why)
        else:
            return _added(request, made)
    if is_part:
        return _typed_row(request, found, at=at, form=form, refused=refused)
    return codes_page(request, found, at=at, form=form, refused=refused)


@require_http_methods(METHODS)
@scoped("codes.edit")
def edit(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """Change code, description or both."""
    found = visible_code(request.access, code_id)
    locked = code_services.code_locked(found)
    if request.method != "POST":
        initial = {"code": found.code, "description": found.description}
        form = CodeForm(initial=initial, locked=locked, auto_id=_ids(found))
        return _edit_part(request, found, form, seen=found.revision)
    seen = number(request.POST.get("seen", ""))
    initial = {"code": found.code, "description": found.description}
    form = CodeForm(request.POST, initial=initial, locked=locked, auto_id=_ids(found))
    if not form.is_valid():
        return _edit_part(request, found, form, seen=seen)
    try:
        stored = code_services.edit(found, values=form.cleaned_data, seen=seen, by=request.user)
    except ValidationError as wrong:
        _blame(form, wrong)
        return _edit_part(request, found, form, seen=seen)
    except Stale as stale:
        return _stale(request, found, form, seen=seen, stale=stale)
    except CodeRefused as refused:
        return _edit_part(request, found, form, seen=seen, refused=str(refused))
    return _edited(request, stored)


@require_safe
@scoped("codes.view")
def row(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """The row of a code as it is, for who leaves its edit; its page without a script."""
    found = visible_code(request.access, code_id)
    if not page_params.is_part(request):
        return redirect("admin_wbs:code", request.access.account.pk, found.pk)
    return render(request, "wbs/parts/row.html", _row_context(request, found))


def _added(request: ScopedRequest, made: CostCode) -> HttpResponseBase:
    said = f"{made} was added."
    if not page_params.is_part(request):
        messages.success(request, said)
        return redirect(f"{_place(request, made)}&adding=1#add_code")
    context = _saved_context(request, made, said=said)
    return _changed(render(request, "wbs/parts/added.html", context))


def _edited(request: ScopedRequest, stored: CostCode) -> HttpResponseBase:
    said = f"{stored} was saved."
    if not page_params.is_part(request):
        messages.success(request, said)
        return redirect(_place(request, stored))
    context = _saved_context(request, stored, said=said)
    return _changed(render(request, "wbs/parts/edited.html", context))


def _stale(
    request: ScopedRequest, found: CostCode, form: CodeForm, *, seen: int, stale: Stale
) -> HttpResponse:
    """The form as typed on top of the code as it is now, with both values where they differ.

    A field that only the other person changed takes the new value, so that saving again does not
    undo it unseen.
    """
    fresh = CostCode.objects.select_related("list", "parent").get(pk=found.pk)
    before = held_at(fresh.account_id, list_services.CODE, fresh.pk, revision=seen)
    typed = form.typed
    clashes = []
    for name in typed:
        now = getattr(fresh, name)
        if typed[name] == before.get(name, now):
            typed[name] = now
        elif typed[name] != now:
            clashes.append(
                {"label": cost_codes_history.LABELS[name], "now": now, "typed": typed[name]}
            )
    again = CodeForm(
        typed, initial=typed, locked=code_services.code_locked(fresh), auto_id=_ids(fresh)
    )
    return _edit_part(
        request, fresh, again, seen=fresh.revision, refused=str(stale), clashes=clashes
    )


def _edit_part(
    request: ScopedRequest, found: CostCode, form: CodeForm, *, seen: int, **more: Any
) -> HttpResponse:
    """The row with its fields, or the page without a script; what is locked is only shown."""
    context = {
        **_row_context(request, found),
        "form": form,
        "key": f"edit-form-{found.pk}",
        "seen": seen,
        "read_only": list_services.read_only(found.list),
        "lock": sendable.lock(list_services.CODE, found),
        "back": _place(request, found),
        **more,
    }
    if not page_params.is_part(request):
        return render(request, "wbs/code_edit.html", context)
    closed = (context["read_only"] or context["lock"]) and not form.is_bound
    return render(request, f"wbs/parts/{'row' if closed else 'row_edit'}.html", context)


def _typed_row(
    request: ScopedRequest, found: CodeList, *, at: CostCode | None, form: CodeForm, refused: str
) -> HttpResponse:
    """The row as it was typed, with the reason why it was not saved."""
    context = {
        "list": found,
        "at": at,
        "form": form,
        "key": page_params.typed_row(request.POST),
        "refused": refused,
        "may": may(request.access, found),
    }
    return render(request, "wbs/parts/typed_row.html", context)


def _stored_before(
    request: ScopedRequest, found: CodeList, *, at: CostCode | None, form: CodeForm
) -> CostCode | None:
    """The code of a row that is sent again because nobody heard that it had been saved."""
    if not request.POST.get("again"):
        return None
    same = found.codes.filter(
        parent=at,
        code=form.cleaned_data["code"].strip(),
        description=form.cleaned_data["description"].strip(),
    )
    return same.select_related("list", "parent").first()


def _row_context(request: ScopedRequest, found: CostCode) -> dict[str, Any]:
    home = reverse("admin_wbs:list", args=[request.access.account.pk, found.list_id])
    return {
        "row": row_of(found),
        "code": found,
        "list": found.list,
        "home": home,
        "may": may(request.access, found.list),
    }


def _saved_context(request: ScopedRequest, found: CostCode, *, said: str) -> dict[str, Any]:
    """The row, and what beside it shows numbers.

    The page stays as fresh as it was: the person's own change does not make it stale, somebody
    else's before it does.
    """
    now = CodeList.objects.select_related("changed_by").get(pk=found.list_id)
    seen = number(request.POST.get("list_seen", ""))
    if seen == now.revision - 1 and now.changed_by == request.user:
        seen = now.revision
    return {
        **_row_context(request, found),
        **erp_context(request, now, seen=seen),
        "numbers": numbers_of(now),
        "said": said,
    }


def _blame(form: CodeForm, wrong: ValidationError) -> None:
    """Put the service's errors beside their fields."""
    for name, errors in wrong.message_dict.items():
        form.add_error(name if name in form.fields else None, errors)


def _changed(answer: HttpResponse) -> HttpResponse:
    answer.headers["HX-Trigger-After-Swap"] = CHANGED
    return answer


def _place(request: ScopedRequest, found: CostCode) -> str:
    """Where the code stands in its list."""
    home = reverse("admin_wbs:list", args=[request.access.account.pk, found.list_id])
    return f"{home}?at={found.parent_id or ''}"


def _ids(found: CostCode) -> str:
    """Ids of the fields, apart from those of other rows."""
    return f"code{found.pk}_%s"

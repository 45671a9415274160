"""Add and edit a code: in the table with JavaScript, on separate pages without."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from admin_wbs.cost_codes import edits, list_services
from admin_wbs.cost_codes import history as cost_codes_history
from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.forms import CodeForm, typed_form
from admin_wbs.cost_codes.list_views import METHODS, visible_list
from admin_wbs.cost_codes.page_views import codes_page, erp_context, visible_code
from admin_wbs.cost_codes.table import may, numbers_of, row_of, selected
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.audit.history import held_at
from erpbridge.db.numbers import number
from erpbridge.ui import page_params

CHANGED = "codes-changed"  # event for which the tree on the page listens


@require_POST
@scoped(Permission.CODES_EDIT)
def add(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """Add a code under the root, or under the code that the page shows."""
    code_list = visible_list(request.access, list_id)
    is_part = bool(request.htmx)
    form = typed_form(request.POST) if is_part else CodeForm(request.POST, auto_id="add_%s")
    at_text = request.POST.get("at", "")
    at = selected(code_list, request.POST)
    refused = ""
    # Without this the code would be added to the first tier.
    if at_text and at is None:
        refused = "The code it was to go under has been deleted. Nothing was saved."
    elif form.is_valid():
        try:
            created = code_services.add(code_list, **form.cleaned_data, by=request.user, parent=at)
        except ValidationError as wrong:
            # The page repeats a request whose response was lost; that must not show an error.
            stored = _stored_before(request, code_list, at=at, form=form)
            if stored is not None:
                return _added(request, stored)
            _add_errors(form, wrong)
        except CodeRefused as why:
            refused = str(why)
        else:
            return _added(request, created)
    if is_part:
        return _typed_row(request, code_list, at=at, form=form, refused=refused)
    return codes_page(request, code_list, at=at, form=form, refused=refused)


@require_http_methods(METHODS)
@scoped(Permission.CODES_EDIT)
def edit(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """Change the code, the description or both."""
    code = visible_code(request.access, code_id)
    # A disabled field ignores what is posted, so the form cannot change a code that is fixed.
    locked = edits.fixed_codes([code]).get(code.pk, "")
    if request.method != "POST":
        initial = {"code": code.code, "description": code.description}
        form = CodeForm(initial=initial, locked=locked, auto_id=_ids(code))
        return _edit_part(request, code, form, seen=code.revision)
    seen = number(request.POST.get("seen", ""))
    initial = {"code": code.code, "description": code.description}
    form = CodeForm(request.POST, initial=initial, locked=locked, auto_id=_ids(code))
    if not form.is_valid():
        return _edit_part(request, code, form, seen=seen)
    try:
        stored = code_services.edit(code, values=form.cleaned_data, seen=seen, by=request.user)
    except ValidationError as wrong:
        _add_errors(form, wrong)
        return _edit_part(request, code, form, seen=seen)
    except Stale as stale:
        return _stale(request, code, form, seen=seen, stale=stale)
    except CodeRefused as refused:
        return _edit_part(request, code, form, seen=seen, refused=str(refused))
    return _edited(request, stored)


@require_safe
@scoped(Permission.CODES_VIEW)
def row(request: ScopedRequest, code_id: int) -> HttpResponseBase:
    """The row of a code after a canceled edit; without JavaScript the code's page."""
    code = visible_code(request.access, code_id)
    if not request.htmx:
        return redirect("admin_wbs:code", request.access.account.pk, code.pk)
    return render(request, "wbs/parts/row.html", _row_context(request, code))


def _added(request: ScopedRequest, created: CostCode) -> HttpResponseBase:
    message = f"{created} was added."
    if not request.htmx:
        messages.success(request, message)
        # Back to an empty row, because codes are typed one after another.
        return redirect(f"{_place(request, created)}&adding=1#add_code")
    context = _saved_context(request, created, message=message)
    return _changed(render(request, "wbs/parts/added.html", context))


def _edited(request: ScopedRequest, stored: CostCode) -> HttpResponseBase:
    message = f"{stored} was saved."
    if not request.htmx:
        messages.success(request, message)
        return redirect(_place(request, stored))
    context = _saved_context(request, stored, message=message)
    return _changed(render(request, "wbs/parts/edited.html", context))


def _stale(
    request: ScopedRequest, code: CostCode, form: CodeForm, *, seen: int, stale: Stale
) -> HttpResponse:
    """Show the form on top of the current code, with both values where they differ.

    A field that only the other person changed takes the new value, so that saving again does not
    undo that change unnoticed.
    """
    fresh = CostCode.objects.select_related("list", "parent").get(pk=code.pk)
    before = held_at(fresh.account_id, list_services.CODE, fresh.pk, revision=seen)
    typed = form.typed
    clashes = []
    for name in typed:
        now = getattr(fresh, name)
        # ``before`` has only what was changed since, so any other field is compared with what it is
        # now.
        if typed[name] == before.get(name, now):
            typed[name] = now
        elif typed[name] != now:
            clashes.append(
                {"label": cost_codes_history.LABELS[name], "now": now, "typed": typed[name]}
            )
    again = CodeForm(
        typed,
        initial=typed,
        locked=edits.fixed_codes([fresh]).get(fresh.pk, ""),
        auto_id=_ids(fresh),
    )
    return _edit_part(
        request, fresh, again, seen=fresh.revision, refused=str(stale), clashes=clashes
    )


def _edit_part(
    request: ScopedRequest, code: CostCode, form: CodeForm, *, seen: int, **more: object
) -> HttpResponse:
    """The row with its fields, or the page without JavaScript; locked values are read-only."""
    context = {
        **_row_context(request, code),
        "form": form,
        "key": f"edit-form-{code.pk}",
        "seen": seen,
        "read_only": list_services.read_only(code.list),
        "lock": sendable.lock(list_services.CODE, code),
        "back": _place(request, code),
        **more,
    }
    if not request.htmx:
        return render(request, "wbs/code_edit.html", context)
    # A form that was sent stays open, so that nothing typed is lost.
    closed = (context["read_only"] or context["lock"]) and not form.is_bound
    return render(request, f"wbs/parts/{'row' if closed else 'row_edit'}.html", context)


def _typed_row(
    request: ScopedRequest,
    code_list: CodeList,
    *,
    at: CostCode | None,
    form: CodeForm,
    refused: str,
) -> HttpResponse:
    """The row as typed, with the reason why it was not saved."""
    context = {
        "list": code_list,
        "at": at,
        "form": form,
        "key": page_params.typed_row(request.POST),
        "refused": refused,
        "may": may(request.access, code_list),
    }
    return render(request, "wbs/parts/typed_row.html", context)


def _stored_before(
    request: ScopedRequest, code_list: CodeList, *, at: CostCode | None, form: CodeForm
) -> CostCode | None:
    """The code that an earlier, unanswered request of the same row created, if any."""
    if not request.POST.get("again"):
        return None
    same = code_list.codes.filter(
        parent=at,
        code=form.cleaned_data["code"].strip(),
        description=form.cleaned_data["description"].strip(),
    )
    return same.select_related("list", "parent").first()


def _row_context(request: ScopedRequest, code: CostCode) -> dict[str, object]:
    home = reverse("admin_wbs:list", args=[request.access.account.pk, code.list_id])
    return {
        "row": row_of(code),
        "code": code,
        "list": code.list,
        "home": home,
        "may": may(request.access, code.list),
    }


def _saved_context(request: ScopedRequest, code: CostCode, *, message: str) -> dict[str, object]:
    """The row, and the numbers next to the list.

    A person's own change does not make their page stale; an earlier change by somebody else does.
    """
    code_list = CodeList.objects.select_related("changed_by").get(pk=code.list_id)
    seen = number(request.POST.get("list_seen", ""))
    # One more than the page has seen, and by this person: nobody else's change lies between.
    if seen == code_list.revision - 1 and code_list.changed_by == request.user:
        seen = code_list.revision
    return {
        **_row_context(request, code),
        **erp_context(request, code_list, seen=seen),
        "numbers": numbers_of(code_list),
        "said": message,
    }


def _add_errors(form: CodeForm, wrong: ValidationError) -> None:
    """Show the service's errors next to their fields."""
    for name, errors in wrong.message_dict.items():
        form.add_error(name if name in form.fields else None, errors)


def _changed(response: HttpResponse) -> HttpResponse:
    return trigger_client_event(response, CHANGED, after="swap")


def _place(request: ScopedRequest, code: CostCode) -> str:
    """URL of the list, opened where the code is."""
    home = reverse("admin_wbs:list", args=[request.access.account.pk, code.list_id])
    return f"{home}?at={code.parent_id or ''}"


def _ids(code: CostCode) -> str:
    """Id pattern of the fields; it differs from that of other rows on the page."""
    return f"code{code.pk}_%s"

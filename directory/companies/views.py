"""The record of one company: its pages, edits, and its way into the ERP."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from directory.companies import edit_conflicts, record_page
from directory.companies import history as company_history
from directory.companies import services as company_services
from directory.companies.errors import EditRefused, NotSent, Stale
from directory.companies.forms import CompanyForm, number_warning
from directory.company_fields import logos
from directory.models import Company
from directory.scoped_urls import Links
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number

CONFLICT = 409
SENT = "was sent to the ERP and waits for accounting. It is locked until they decide."


@require_safe
@scoped("companies.view")
def company(request: ScopedRequest, company_id: int) -> HttpResponse:
    """The record: General, People or Change History."""
    access, found = request.access, _visible(request.access, company_id)
    tab = request.GET.get("tab", "")
    tab = tab if tab in record_page.TABS else "general"
    context = {
        **_frame(access, found),
        "tabs": record_page.tabs(found, links=Links(access), current=tab),
        "tab": tab,
        "deactivation": record_page.deactivation(found, access=access),
        "reactivation": record_page.reactivation(found, access=access),
    }
    if tab == "general":
        context["sections"] = record_page.sections(found, access=access)
    elif tab == "people":
        context["people"] = record_page.people(found)
    else:
        context["history"] = company_history.of(found, before=request.GET.get("before", ""))
    return render(request, "directory/company.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("companies.edit")
def edit(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Edit every General field, and with ``then=send`` send the result; both or neither."""
    access, found = request.access, _visible(request.access, company_id)
    if request.method != "POST":
        form = CompanyForm(access=access, company=found)
        return _edit_page(request, found, form, seen=found.revision)
    form = CompanyForm(request.POST, request.FILES, access=access, company=found)
    seen = _seen(request)
    also_send = request.POST.get("then") == "send"
    if also_send:
        require(access, "companies.send")
    if not form.is_valid():
        return _edit_page(request, found, form, seen=seen)
    try:
        if also_send:
            company_services.edit_and_send(found, values=form.values, seen=seen, access=access)
        else:
            company_services.edit(
                found, values=form.values, seen=seen, by=request.user, project=access.project
            )
    except ValidationError as wrong:
        form.add_error(None, wrong)
        return _edit_page(request, found, form, seen=seen)
    except EditRefused as refused:
        return _refused(request, found, form, seen=seen, refused=refused)
    saved = f"{found.name} was saved"
    if also_send:
        saved = f"{saved}, and" if found.revision != seen else found.name
    messages.success(request, f"{saved} {SENT}" if also_send else f"{saved}.")
    if warning := number_warning(form.cleaned_data):
        messages.warning(request, warning)
    return redirect(Links(access).to("company", found.pk))


@require_POST
@scoped("companies.view")
def send(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Send to the ERP, or retrieve, what the page showed; a stale page is told and not acted on."""
    access, found = request.access, _visible(request.access, company_id)
    verb = request.POST.get("verb", "")
    if verb == "send":
        require(access, "companies.send")
        seen = {found.pk: _seen(request)}
        note = request.POST.get("note", "")
        try:
            done = sendable.send("vendor", [found.pk], access=access, seen=seen, note=note)
        except ValidationError as wrong:
            messages.error(request, f"Nothing was sent. {' '.join(wrong.messages)}")
            return redirect(Links(access).to("company", found.pk))
        said = SENT
    elif verb == "retrieve":
        require(access, "companies.retrieve")
        done = sendable.retrieve("vendor", [found.pk], access=access)
        said = "was retrieved. It can be edited and sent again."
    else:
        raise Http404
    if done.done:
        messages.success(request, f"{found.name} {said}")
    for refusal in done.refused:
        for problem in refusal.problems:
            messages.error(request, problem.message)
    back = (
        "company_edit" if verb == "retrieve" and request.POST.get("back") == "edit" else "company"
    )
    return redirect(Links(access).to(back, found.pk))


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("companies.edit")
def deactivate(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Deactivate everywhere, after asking."""
    access, found = request.access, _visible(request.access, company_id)
    back = Links(access).to("company", found.pk)
    if request.method == "POST":
        try:
            company_services.deactivate(found, seen=_seen(request), by=request.user)
            messages.success(request, f"{found.name} was deactivated.")
        except EditRefused as refused:
            messages.error(request, str(refused))
        return redirect(back)
    context = {
        "question": "Deactivate Company?",
        "what": [
            f"{found.name} becomes inactive in the whole account: in the Company Directory and on "
            "every project.",
            "It can no longer be sent to the ERP or chosen, and can be reactivated.",
        ],
        "confirm": "Deactivate Company",
        "danger": True,
        "cancel_href": back,
        "hidden": [("seen", found.revision)],
    }
    return render(request, "parts/confirm.html", context)


@require_POST
@scoped("companies.reactivate")
def reactivate(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Make it active again."""
    access, found = request.access, _visible(request.access, company_id)
    try:
        company_services.reactivate(found, seen=_seen(request), by=request.user)
        messages.success(request, f"{found.name} is active again, on all its projects.")
    except EditRefused as refused:
        messages.error(request, str(refused))
    return redirect(Links(access).to("company", found.pk))


@require_safe
@scoped("companies.view")
def logo(request: ScopedRequest, company_id: int) -> FileResponse:
    """The logo, for those who may see the company."""
    found = _visible(request.access, company_id)
    try:
        picture = found.logo.open("rb")
    except (ValueError, FileNotFoundError) as missing:
        raise Http404 from missing
    answer = FileResponse(picture, content_type=logos.content_type(str(found.logo.name)))
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=300"
    return answer


def _visible(access: Access, company_id: int) -> Company:
    return get_object_or_404(Company.objects.visible_to(access), pk=company_id)


def _seen(request: HttpRequest) -> int:
    """The revision the page showed; 0, which no company has, for a form that does not say."""
    return number(request.POST.get("seen", ""))


def _frame(access: Access, found: Company) -> dict[str, Any]:
    """What every page of the record shows."""
    links = Links(access)
    names = ("company_edit", "company_send", "company_logo", "company_deactivate")
    return {
        "company": found,
        "badge": sendable.badge(found),
        "lock": sendable.lock("vendor", found),
        "button": sendable.button("vendor", access, found),
        "news": sendable.news("vendor", access.account.pk, found),
        "may_edit": bool(access.can("companies.edit")),
        "home": links.to("companies"),
        "bulk": links.to("companies_bulk"),
        "here": links.to("company", found.pk),
        "links": {name: links.to(name, found.pk) for name in (*names, "company_reactivate")},
    }


def _edit_page(
    request: ScopedRequest,
    found: Company,
    form: CompanyForm,
    *,
    seen: int,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The form; on GET while locked only who sent it and when."""
    context = {**_frame(request.access, found), "form": form, "seen": seen, **more}
    return render(request, "directory/company_edit.html", context, status=status)


def _refused(
    request: ScopedRequest, found: Company, form: CompanyForm, *, seen: int, refused: EditRefused
) -> HttpResponse:
    """The form again with everything typed; after a clash, on top of what is stored now."""
    more: dict[str, Any] = {"refused": str(refused), "is_stale": isinstance(refused, Stale)}
    if isinstance(refused, NotSent):
        more["not_sent"] = refused.reasons
    if isinstance(refused, Stale):
        form, more["conflicts"] = edit_conflicts.rebase(
            form, company=found, seen=seen, access=request.access
        )
    found = Company.objects.get(pk=found.pk)
    seen = found.revision if isinstance(refused, Stale) else seen
    return _edit_page(request, found, form, seen=seen, status=CONFLICT, **more)

"""The record of a company: its pages, edits, and its way to the ERP."""

from __future__ import annotations

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
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number

CONFLICT = 409
SENT = "was sent to the ERP and waits for accounting. It is locked until they decide."


@require_safe
@scoped(Permission.COMPANIES_VIEW)
def company(request: ScopedRequest, company_id: int) -> HttpResponse:
    """The record: General, People or Change History."""
    access, record = request.access, _visible(request.access, company_id)
    tab = request.GET.get("tab", "")
    tab = tab if tab in record_page.TABS else "general"
    context = {
        **_frame(access, record),
        "tabs": record_page.tabs(record, links=Links(access), current=tab),
        "tab": tab,
        "deactivation": record_page.deactivation(record, access=access),
        "reactivation": record_page.reactivation(record, access=access),
    }
    if tab == "general":
        context["sections"] = record_page.sections(record, access=access)
    elif tab == "people":
        context["people"] = record_page.people(record)
    else:
        context["history"] = company_history.of(record, before=request.GET.get("before", ""))
    return render(request, "directory/company.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.COMPANIES_EDIT)
def edit(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Edit all General fields; with ``then=send`` also send the company, both or neither."""
    access, company = request.access, _visible(request.access, company_id)
    if request.method != "POST":
        form = CompanyForm(access=access, company=company)
        return _edit_page(request, company, form, seen=company.revision)
    form = CompanyForm(request.POST, request.FILES, access=access, company=company)
    seen = _seen(request)
    also_send = request.POST.get("then") == "send"
    if also_send:
        # Asked before the edit: both are done, or neither.
        require(access, Permission.COMPANIES_SEND)
    if not form.is_valid():
        return _edit_page(request, company, form, seen=seen)
    try:
        if also_send:
            company_services.edit_and_send(company, values=form.values, seen=seen, access=access)
        else:
            company_services.edit(
                company, values=form.values, seen=seen, by=request.user, project=access.project
            )
    except ValidationError as wrong:
        form.add_error(None, wrong)
        return _edit_page(request, company, form, seen=seen)
    except EditRefused as refused:
        return _refused(request, company, form, seen=seen, refused=refused)
    saved = f"{company.name} was saved"
    if also_send:
        # Without changes the company was only sent, not saved.
        saved = f"{saved}, and" if company.revision != seen else company.name
    messages.success(request, f"{saved} {SENT}" if also_send else f"{saved}.")
    if warning := number_warning(form.cleaned_data):
        messages.warning(request, warning)
    return redirect(Links(access).to("company", company.pk))


@require_POST
@scoped(Permission.COMPANIES_VIEW)
def send(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Send to the ERP, or retrieve. A stale page gets an error and sends nothing."""
    access, company = request.access, _visible(request.access, company_id)
    verb = request.POST.get("verb", "")
    if verb == "send":
        require(access, Permission.COMPANIES_SEND)
        seen = {company.pk: _seen(request)}
        note = request.POST.get("note", "")
        try:
            outcome = sendable.send("vendor", [company.pk], access=access, seen=seen, note=note)
        except ValidationError as wrong:
            messages.error(request, f"Nothing was sent. {' '.join(wrong.messages)}")
            return redirect(Links(access).to("company", company.pk))
        message = SENT
    elif verb == "retrieve":
        require(access, Permission.COMPANIES_RETRIEVE)
        outcome = sendable.retrieve("vendor", [company.pk], access=access)
        message = "was retrieved. It can be edited and sent again."
    else:
        raise Http404
    if outcome.done:
        messages.success(request, f"{company.name} {message}")
    for refusal in outcome.refused:
        for problem in refusal.problems:
            messages.error(request, problem.message)
    back = (
        # The locked edit page offers to retrieve the company, and its reader wants to go on
        # editing.
        "company_edit" if verb == "retrieve" and request.POST.get("back") == "edit" else "company"
    )
    return redirect(Links(access).to(back, company.pk))


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.COMPANIES_EDIT)
def deactivate(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Deactivate the company everywhere, after asking."""
    access, company = request.access, _visible(request.access, company_id)
    back = Links(access).to("company", company.pk)
    if request.method == "POST":
        try:
            company_services.deactivate(company, seen=_seen(request), by=request.user)
            messages.success(request, f"{company.name} was deactivated.")
        except EditRefused as refused:
            messages.error(request, str(refused))
        return redirect(back)
    context = {
        "question": "Deactivate Company?",
        "what": [
            f"{company.name} becomes inactive in the whole account: in the Company Directory and "
            "on every project.",
            "It can no longer be sent to the ERP or chosen, and can be reactivated.",
        ],
        "confirm": "Deactivate Company",
        "danger": True,
        "cancel_href": back,
        "hidden": [("seen", company.revision)],
    }
    return render(request, "parts/confirm.html", context)


@require_POST
@scoped(Permission.COMPANIES_REACTIVATE)
def reactivate(request: ScopedRequest, company_id: int) -> HttpResponseBase:
    """Make the company active again."""
    access, company = request.access, _visible(request.access, company_id)
    try:
        company_services.reactivate(company, seen=_seen(request), by=request.user)
        messages.success(request, f"{company.name} is active again, on all its projects.")
    except EditRefused as refused:
        messages.error(request, str(refused))
    return redirect(Links(access).to("company", company.pk))


@require_safe
@scoped(Permission.COMPANIES_VIEW)
def logo(request: ScopedRequest, company_id: int) -> FileResponse:
    """The logo, for people who may see the company."""
    company = _visible(request.access, company_id)
    try:
        picture = company.logo.open("rb")
    # Django raises ValueError for a company without a logo.
    except (ValueError, FileNotFoundError) as missing:
        raise Http404 from missing
    response = FileResponse(picture, content_type=logos.content_type(str(company.logo.name)))
    # Uploaded by users: a browser must not guess another content type.
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=300"
    return response


def _visible(access: Access, company_id: int) -> Company:
    return get_object_or_404(Company.objects.visible_to(access), pk=company_id)


def _seen(request: HttpRequest) -> int:
    """The revision that the page showed; 0, which no company has, if the form has none."""
    return number(request.POST.get("seen", ""))


def _frame(access: Access, company: Company) -> dict[str, object]:
    """Context of every page of the record."""
    links = Links(access)
    names = ("company_edit", "company_send", "company_logo", "company_deactivate")
    return {
        "company": company,
        "badge": sendable.badge(company),
        "lock": sendable.lock("vendor", company),
        "button": sendable.button("vendor", access, company),
        "news": sendable.news("vendor", access.account.pk, company),
        "may_edit": bool(access.can(Permission.COMPANIES_EDIT)),
        "home": links.to("companies"),
        "bulk": links.to("companies_bulk"),
        "here": links.to("company", company.pk),
        "links": {name: links.to(name, company.pk) for name in (*names, "company_reactivate")},
    }


def _edit_page(
    request: ScopedRequest,
    company: Company,
    form: CompanyForm,
    *,
    seen: int,
    status: int = 200,
    **more: object,
) -> HttpResponse:
    """The edit form; while locked, a GET only shows who sent the company and when."""
    context = {**_frame(request.access, company), "form": form, "seen": seen, **more}
    return render(request, "directory/company_edit.html", context, status=status)


def _refused(
    request: ScopedRequest, company: Company, form: CompanyForm, *, seen: int, refused: EditRefused
) -> HttpResponse:
    """The form with everything typed; after a conflict, on top of the stored values."""
    more: dict[str, object] = {"refused": str(refused), "is_stale": isinstance(refused, Stale)}
    if isinstance(refused, NotSent):
        more["not_sent"] = refused.reasons
    if isinstance(refused, Stale):
        form, more["conflicts"] = edit_conflicts.rebase(
            form, company=company, seen=seen, access=request.access
        )
    # The refused edit has left the typed values on the instance.
    company = Company.objects.get(pk=company.pk)
    # The form now stands on the stored values, so the next save overwrites them knowingly.
    seen = company.revision if isinstance(refused, Stale) else seen
    return _edit_page(request, company, form, seen=seen, status=CONFLICT, **more)

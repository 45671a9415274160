"""Add a company: search first, then add it to the project or create it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from directory.companies import services as company_services
from directory.companies.forms import CompanyForm, number_warning
from directory.models import Company, ProjectCompany
from directory.models.querysets import CompanyQuerySet
from directory.scoped_urls import Links
from erpbridge.access.models import Account
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.numbers import number

# docs/design/directory-and-companies.md, "Searching".
MOST_HITS = 50
MOST_ALIKE = 10
MOST_KNOWN = 500
LONGEST_NAME = 255
SEND_LATER = "It still has to be sent to the ERP, from its page, before accounting sees it."


@dataclass(frozen=True)
class Hit:
    """A company of the account that matches the search."""

    company: Company
    on_project: bool
    href: str


@require_safe
@scoped(Permission.COMPANIES_EDIT)
def search(request: ScopedRequest) -> HttpResponse:
    """Search the whole account for the name, before creating a company again."""
    access, links = request.access, Links(request.access)
    name = _named(request.GET.get("name"))
    hits = _hits(access, name) if name else []
    context = {
        "name": name,
        "hits": hits[:MOST_HITS],
        "more": len(hits) > MOST_HITS,
        "home": links.to("companies"),
        "create": links.to("company_create"),
        "place": links.to("company_place") if access.project else "",
    }
    return render(request, "directory/company_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.COMPANIES_EDIT)
def create(request: ScopedRequest) -> HttpResponseBase:
    """Create a company. Look-alikes are shown first, but do not prevent it."""
    access = request.access
    if request.method != "POST":
        name = _named(request.GET.get("name"))
        form = CompanyForm(access=access, initial={"name": name})
        return _create_page(request, form, alike=_look_alikes(access, name))
    form = CompanyForm(request.POST, request.FILES, access=access)
    if not form.is_valid():
        return _create_page(request, form, alike=_look_alikes(access, _named(form["name"].value())))
    try:
        company = _created(form, access=access, seen_ids=request.POST.getlist("anyway"))
    except ValidationError as wrong:
        form.add_error(None, wrong)
        return _create_page(request, form, alike=_look_alikes(access, form.cleaned_data["name"]))
    if company is None:
        alike = _look_alikes(access, form.cleaned_data["name"])
        return _create_page(request, form, alike=alike, ask=True)
    messages.success(request, f"{company.name} was added. {SEND_LATER}")
    if warning := number_warning(form.cleaned_data):
        messages.warning(request, warning)
    return redirect(Links(access).to("company", company.pk))


@transaction.atomic
def _created(form: CompanyForm, *, access: Access, seen_ids: Sequence[str]) -> Company | None:
    """Create the company; None if there are look-alikes that the person has not seen.

    The account is locked, so that the second of two concurrent requests sees the first one's
    company.

    :param seen_ids: ids of the look-alikes that the person has seen.
    """
    # list() runs the query, which takes the lock.
    list(Account.objects.select_for_update(no_key=True).filter(pk=access.account.pk))
    alike = _alike(access, form.cleaned_data["name"])
    # The newest are compared, so that one that was created meanwhile is never cut off.
    if any(str(pk) not in seen_ids for pk in _newest(alike)):
        return None
    return company_services.create(
        account=access.account, values=form.values, by=access.user, project=access.project
    )


@require_POST
@scoped(Permission.COMPANIES_EDIT)
def place(request: ScopedRequest) -> HttpResponseBase:
    """Add a company of the account to the project's Directory."""
    access, project = request.access, request.access.project
    pk = number(request.POST.get("company", ""))
    # Not ``visible_to``, which in a project holds only the companies that are on it.
    company = get_object_or_404(Company, account=access.account, pk=pk)
    if project is None:
        return redirect(Links(access).to("company", company.pk))
    if not company.is_active:
        messages.error(request, f"{company.name} is inactive. It has to be reactivated first.")
        return redirect(Links(access).to("companies"))
    if company_services.add_to_project([company.pk], project=project, by=request.user):
        messages.success(request, f"{company.name} was added to {project}.")
    else:
        messages.info(request, f"{company.name} is in the Directory of {project} already.")
    return redirect(Links(access).to("company", company.pk))


def _named(typed: str | None) -> str:
    """The name to search for, without NUL, which PostgreSQL does not accept in queries."""
    return (typed or "").replace("\x00", "").strip()[:LONGEST_NAME]


def _hits(access: Access, name: str) -> list[Hit]:
    """Companies of the account with a similar name; at most one more than are shown."""
    # Not ``visible_to``: also companies that are inactive or not on the project, so that none is
    # created twice.
    companies = Company.objects.filter(account=access.account).named_like(name)
    rows = list(companies.order_by("-is_active", "sort_name", "pk")[: MOST_HITS + 1])
    memberships = ProjectCompany.objects.filter(project=access.project, company__in=rows)
    on_project = set(memberships.values_list("company", flat=True)) if access.project else set()
    links = Links(access)
    return [
        Hit(company, company.pk in on_project, links.to("company", company.pk)) for company in rows
    ]


def _look_alikes(access: Access, name: str) -> list[Hit]:
    links = Links(access)
    companies = _alike(access, name).order_by("sort_name", "pk")[:MOST_ALIKE]
    return [Hit(company, False, links.to("company", company.pk)) for company in companies]


def _alike(access: Access, name: str) -> CompanyQuerySet:
    companies = Company.objects.filter(account=access.account)
    return companies.look_alikes(name) if name else companies.none()


def _newest(alike: CompanyQuerySet) -> list[int]:
    """Ids of the newest look-alikes, to detect one that was created after the form was shown."""
    return list(alike.order_by("-pk").values_list("pk", flat=True)[:MOST_KNOWN])


def _create_page(
    request: ScopedRequest, form: CompanyForm, *, alike: list[Hit], ask: bool = False
) -> HttpResponse:
    links = Links(request.access)
    context = {
        "form": form,
        "alike": alike,
        # Posted back as seen, so only a page that asks about them may hold them.
        "known": _newest(_alike(request.access, _named(form["name"].value()))) if ask else [],
        "ask": ask,
        "search": links.to("company_add"),
        "home": links.to("companies"),
    }
    return render(request, "directory/company_create.html", context)

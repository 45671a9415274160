"""The list of companies and its bulk actions."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from directory.companies import services as company_services
from directory.companies.table import BADGES, STATUSES, listing, matching
from directory.models import Company
from directory.models.querysets import may_see_inactive
from directory.scoped_urls import Links
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import numbers
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED, ask, must_ask


@require_safe
@scoped(Permission.COMPANIES_VIEW)
def company_list(request: ScopedRequest) -> HttpResponse:
    """The Directory's companies."""
    access = request.access
    links = Links(access)
    pages = ("companies", "companies_bulk", "company_add", "import")
    companies = listing(access, request.GET)
    may = {
        "edit": bool(access.can(Permission.COMPANIES_EDIT)),
        "send": bool(access.can(Permission.COMPANIES_SEND)),
        "retrieve": bool(access.can(Permission.COMPANIES_RETRIEVE)),
        "import": bool(access.can(Permission.COMPANIES_IMPORT)),
        "remove": bool(access.project and access.can(Permission.COMPANIES_EDIT)),
        "configure": bool(not access.project and access.can(Permission.ACCOUNT_CONFIGURE)),
    }
    if companies.filters.status == "inactive":  # inactive companies are never sent
        may |= {"send": False, "retrieve": False}
    context: dict[str, object] = {
        "listing": companies,
        "links": {name: links.to(name) for name in pages},
        "statuses": STATUSES if may_see_inactive(access) else {},
        "badges": BADGES,
        "may": may,
        "bulk": any(may[word] for word in ("send", "retrieve", "remove")),
    }
    return render(request, "directory/companies.html", context)


@require_POST
@scoped(Permission.COMPANIES_VIEW)
def bulk(request: ScopedRequest) -> HttpResponseBase:
    """Send, retrieve or remove the ticked companies, or all that match the list's filters."""
    access = request.access
    action = request.POST.get("action", "")
    query = QueryDict(request.POST.get("query", ""))
    # Parsed and written again, so that no posted text reaches the address as it is.
    back = f"{Links(access).to('companies')}?{query.urlencode()}"
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    ids = _chosen(access, request.POST, query=query, most=most)
    if not ids:
        messages.warning(request, NOTHING_TICKED)
        return redirect(back)
    if len(ids) > most:
        messages.error(
            request,
            f"Nothing was done: more than {most:,} companies match, and one click takes at most "
            f"{most:,}. Narrow the list with search or filters.",
        )
        return redirect(back)
    if action == "remove":
        return _remove(request, ids, back=back)
    if action not in ("send", "retrieve"):
        messages.error(request, "Nothing was done: choose what to do with the ticked companies.")
        return redirect(back)
    sends = action == "send"
    require(access, Permission.COMPANIES_SEND if sends else Permission.COMPANIES_RETRIEVE)
    if sends and must_ask(request, len(ids)):
        return ask(
            request,
            f"Send {_counted(len(ids))} to the ERP?",
            what=["Accounting sees them at once. They are locked until a decision is made."],
            confirm="Send to ERP",
            back=back,
            keep=("action", "query"),
            ids=ids,
        )
    act = sendable.send if sends else sendable.retrieve
    outcome = act("vendor", ids, access=access)
    return redirect("erp:request", access.account.pk, outcome.request_id)


def _chosen(access: Access, posted: QueryDict, *, query: QueryDict, most: int) -> list[int]:
    """The visible ticked ids, or all that match; at most ``most`` + 1."""
    if posted.get("all"):
        companies = matching(access, query)
    else:
        ids = numbers(posted.getlist("ids"))
        # Posted ids are not trusted: they may be of another account or project.
        companies = Company.objects.visible_to(access).filter(pk__in=ids)
    # One more than allowed, so that the caller can tell that there are too many.
    return list(companies.order_by("sort_name", "pk").values_list("pk", flat=True)[: most + 1])


def _remove(request: ScopedRequest, ids: list[int], *, back: str) -> HttpResponseBase:
    """Ask, then remove the companies from this project only."""
    project = request.access.project
    require(request.access, Permission.COMPANIES_EDIT)
    if project is None:
        messages.error(request, "Nothing was done: companies are removed from a project, there.")
        return redirect(back)
    # Only the companies that the question has counted: "all" may match others by now.
    if request.POST.get("confirm") and not request.POST.get("all"):
        count = company_services.remove_from_project(ids, project=project, by=request.user)
        messages.success(request, f"{_counted(count)} removed from {project}.")
        return redirect(back)
    context = {
        "question": f"Remove {_counted(len(ids))} from this project?",
        "what": [
            f"They are removed from the Directory of {project} only.",
            "They stay active in the Company Directory and on every other project, and can be "
            "added to this project again.",
        ],
        "confirm": "Remove from Project",
        "danger": True,
        "cancel_href": back,
        "hidden": [
            ("action", "remove"),
            ("query", request.POST.get("query", "")),
            *(("ids", pk) for pk in ids),
        ],
    }
    return render(request, "parts/confirm.html", context)


def _counted(count: int) -> str:
    return "1 company" if count == 1 else f"{count:,} companies"

"""The lists of the ERP Integrations tool, and rejecting many items at once."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db import connection as database
from django.db.models.expressions import Combinable
from django.db.models.functions import Collate
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from erp_integrations.connections import services as connection_services
from erp_integrations.connections import wait_reasons
from erp_integrations.models import Item
from erp_integrations.models.querysets import ItemQuerySet, capped, search, tab_counts
from erp_integrations.models.record_types import RecordType, counted, record_types
from erp_integrations.models.states import ItemTab
from erp_integrations.web import synced_records
from erp_integrations.web.acceptance_grid import grid, posted_values
from erp_integrations.web.forms import RejectForm
from erp_integrations.workflow import parents, scoped_urls
from erp_integrations.workflow.accept import field_values
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.badges import BADGES
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.ui import page_params
from erpbridge.ui.confirmation.bulk_confirm import NOTHING_TICKED
from erpbridge.ui.listing import list_page
from erpbridge.ui.navigation import Tab
from erpbridge.ui.row_urls import NO_UUID, url_of

# An item is created when it is sent, so its id sorts by that time and is never NULL, as paging
# needs (docs/adr/0007-lists-page-by-keyset.md).
SORTS: dict[str, str | Combinable] = {"sent": "pk", "name": "label"}
# By bytes, so that "20 Site" comes before "20-010 Survey"; collations of languages may differ.
BYTES = {"sqlite": "BINARY", "postgresql": "C"}[database.vendor]
LIST_SORTS = SORTS | {"name": Collate("label", BYTES)}


def kind_of(slug: str) -> RecordType:
    """Return the record type of a URL.

    :raises Http404: for an unknown one.
    """
    for kind in record_types():
        if kind.slug == slug:
            return kind
    raise Http404


def _status(tab: str) -> str:
    return tab if tab in ItemTab.values else "ready"


def found_items(access: Access, kind: RecordType, query: QueryDict) -> ItemQuerySet:
    """Return the items of a list by the tab, division and search of its query string."""
    items = Item.objects.visible_to(access).filter(entity=kind.entity)
    items = items.tab(_status(query.get("status", "")))
    # PostgreSQL refuses NUL characters in text.
    division = query.get("division", "").replace("\x00", "")
    if division:
        items = items.in_division(division)
    words = page_params.words(query)
    return search(items, words) if words else items


@require_safe
@scoped(Permission.ITEMS_VIEW)
def item_list(request: ScopedRequest, kind: str) -> HttpResponse:
    """Show one tab of a list: ready, exporting, failed, synced, or rejected and retrieved."""
    record_type = kind_of(kind)
    access = request.access
    status = _status(request.GET.get("status", ""))
    items = Item.objects.visible_to(access).filter(entity=record_type.entity)
    # Capped (docs/design/measured-choices.md, "Lists").
    counts = tab_counts(items, synced_records.synced(access, record_type))
    may_decide = access.can(Permission.ITEMS_ACCEPT, record_type.entity)
    to_decide = status in ("ready", "failed")
    can_act = bool(may_decide) and to_decide
    # The tab lists links, since records can be linked without an item.
    if status == "synced":
        listed = synced_records.links_page(access, record_type, request.GET)
    else:
        listed = _listed(access, record_type, items.tab(status), request.GET, can_act=can_act)
    connection = connection_services.active(access.account.pk, record_type.entity)
    list_url = scoped_urls.to(access, "items", kind=kind)
    context = {
        "kind": record_type,
        "kinds": kind_tabs(access, record_type),
        "status": status,
        **listed,
        "division": request.GET.get("division", "").replace("\x00", ""),
        "tabs": [
            Tab(str(tab.label), f"{list_url}?status={tab}", tab == status, capped(counts[tab]))
            for tab in ItemTab
        ],
        "moving": counts["exporting"],
        "moving_text": f"{capped(counts['exporting'])} exporting",
        "progress_url": scoped_urls.to(access, "progress", kind=kind),
        "may_decide": may_decide,
        # The latest item of now: what arrives later is not part of "all that match".
        "upto": items.order_by("-pk").values_list("pk", flat=True).first() or 0,
        "can_act": can_act,
        "accept_url": scoped_urls.to(access, "accept_many", kind=kind),
        "reject_url": scoped_urls.to(access, "reject_many", kind=kind),
        "connection": connection,
        "wait": wait_reasons.of_connection(connection) if connection else None,
        "may_configure": access.can(Permission.CONNECTION_CONFIGURE),
    }
    return render(request, "erp/items.html", context)


def _listed(
    access: Access, kind: RecordType, items: ItemQuerySet, query: QueryDict, *, can_act: bool
) -> dict[str, object]:
    """Return one page of a tab's items, with inputs if they can be decided about."""
    as_list = kind.unit == "list"
    divisions = items.divisions() if as_list else []
    division = query.get("division", "").replace("\x00", "")
    listed = items.in_division(division) if division else items
    listed = listed.with_parent().select_related("sent_by", "decided_by", "project", "connection")
    # In the order of the list itself, with parents above their children.
    to_decide = _status(query.get("status", "")) in ("ready", "failed")
    default = "name" if as_list and to_decide else "-sent"
    sorts = LIST_SORTS if as_list else SORTS
    page = list_page(listed, query, sorts=sorts, default=default, search=search)
    table = grid(access, kind, page.rows) if can_act else None
    # Items to decide about wait for a person, so no reason of the connection is shown.
    held_up = {} if to_decide else wait_reasons.of_items(page.rows)
    href = url_of(lambda item_id: scoped_urls.to(access, "item", public_id=item_id), NO_UUID)
    rows = [
        {
            "item": item,
            "badge": BADGES[item.state],
            "url": href(item.public_id),
            "wait": held_up.get(item.pk),
            "inputs": table["inputs"][item.pk] if table else [],
        }
        for item in page.rows
    ]
    return {"page": page, "rows": rows, "divisions": divisions, "grid": table}


def kind_tabs(access: Access, current: RecordType) -> list[Tab]:
    """Return the tabs of the record types, each followed by its further pages."""
    tabs: list[Tab] = []
    for kind in record_types():
        list_url = scoped_urls.to(access, "items", kind=kind.slug)
        tabs.append(Tab(kind.label_plural, list_url, kind is current))
        tabs += [Tab(page.label, page.href) for page in kind.further_pages(access)]
    return tabs


@require_safe
@scoped(Permission.ITEMS_VIEW)
def progress(request: ScopedRequest, kind: str) -> HttpResponse:
    """The line with the number of exporting items, which the browser polls while there are any."""
    record_type = kind_of(kind)
    items = Item.objects.visible_to(request.access).filter(entity=record_type.entity)
    moving = items.tab("exporting").capped_count()
    if not moving:
        # All are done: the whole list is loaded again, to show where they went.
        return HttpResponseClientRefresh()
    context = {
        "id": "exporting",
        "href": scoped_urls.to(request.access, "progress", kind=kind),
        "moving": moving,
        "text": f"{capped(moving)} exporting",
    }
    return render(request, "parts/progress.html", context)


def chosen_items(access: Access, kind: RecordType, posted: QueryDict) -> ItemQuerySet:
    """Return the ticked items, or all that match the list as it was when the page was opened."""
    query = QueryDict(posted.get("query", ""))
    if posted.get("all"):
        items = found_items(access, kind, query)
        upto = posted.get("upto", "")
        # Ids grow, so this leaves out what arrived after the page was opened; 0 if it was empty.
        return items.filter(pk__lte=number(upto)) if upto else items
    # The ids come from the browser, so only visible items count.
    ids = numbers(posted.getlist("ids"))
    return Item.objects.visible_to(access).filter(entity=kind.entity, pk__in=ids)


def limited(request: ScopedRequest, items: ItemQuerySet) -> list[Item] | None:
    """Return the chosen items; None, after a message, if there are none or too many."""
    most = settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    # One more than the limit tells that there are too many, without counting them.
    rows = list(items.select_related("sent_by", "decided_by").order_by("pk")[: most + 1])
    if not rows:
        # Rows were chosen, but others have decided about them meanwhile.
        had_chosen = request.POST.get("all") or request.POST.getlist("ids")
        moved_on = "Nothing was done: none of the rows is in this list any more."
        messages.warning(request, moved_on if had_chosen else NOTHING_TICKED)
        return None
    if len(rows) > most:
        messages.error(
            request,
            f"Nothing was done: more than {most:,} rows match, and one click takes at most "
            f"{most:,}. Narrow the list with search.",
        )
        return None
    return rows


def back_to(request: ScopedRequest, kind: RecordType) -> str:
    """Return the URL of the list with the tab, search and page that it had."""
    query = QueryDict(request.POST.get("query", ""))
    list_url = scoped_urls.to(request.access, "items", kind=kind.slug)
    return f"{list_url}?{query.urlencode()}" if query else list_url


@require_POST
@scoped(Permission.ITEMS_VIEW)
def reject_many(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """Ask for the reason, then reject the items and return them to their senders.

    :raises PermissionDenied: if the person may not accept items of this type.
    """
    record_type = kind_of(kind)
    access = request.access
    require(access, Permission.ITEMS_ACCEPT, record_type.entity)
    # Values typed in the grid have no part in a rejection; saved, so that they are not lost.
    field_values.save(posted_values(request.POST), entity=record_type.entity, access=access)
    rows = limited(request, chosen_items(access, record_type, request.POST))
    list_url = back_to(request, record_type)
    if rows is None:
        return redirect(list_url)
    # Items under a rejected one could only wait for it.
    below = parents.below(rows)
    confirmed = bool(request.POST.get("confirm"))
    form = RejectForm(rows, below, request.POST if confirmed else None)
    if confirmed and form.is_valid():
        along = below if form.cleaned_data.get("below") else []
        items = Item.objects.filter(pk__in=[item.pk for item in [*rows, *along]])
        result = accept_services.reject(
            items,
            entity=record_type.entity,
            reason=form.cleaned_data["reason"],
            reasons=form.reasons,
            access=access,
        )
        return redirect(scoped_urls.to(access, "request", request_id=result.request_id))
    context = {
        "question": f"Reject {counted(record_type, len(rows))}?",
        "what": [
            "They go back to the people who sent them, who can edit them and send them again.",
            "Nothing is written to the ERP.",
        ],
        "confirm": "Reject",
        "danger": True,
        "cancel_href": list_url,
        "hidden": [
            ("query", request.POST.get("query", "")),
            # The ids in place of "all": confirming rejects only the rows that were counted.
            *(("ids", item.pk) for item in rows),
        ],
        "form": form,
    }
    return render(request, "parts/confirm.html", context)

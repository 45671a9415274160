"""The result page of a bulk request, and the progress of its export."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from erp_integrations.connections import wait_reasons
from erp_integrations.models import Item, Request
from erp_integrations.models.querysets import search
from erp_integrations.models.record_types import RecordType, counted, record_type
from erp_integrations.models.states import MOVING, ItemTab, State, states_of_tab
from erp_integrations.workflow import scoped_urls
from erp_integrations.workflow.badges import SENDER_BADGES
from erp_integrations.workflow.bulk_requests import click_of
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.ui.listing import list_page

DONE_WORDS: dict[str, str] = {
    Request.Verb.SEND: "sent",
    Request.Verb.RETRIEVE: "retrieved",
    Request.Verb.ACCEPT: "accepted",
    Request.Verb.REJECT: "rejected",
    Request.Verb.RETRY: "queued again",
}
NEXT_WORDS: dict[str, str] = {
    Request.Verb.SEND: "Accounting sees them now. They are locked until a decision is made.",
    Request.Verb.RETRIEVE: "They can be edited and sent again.",
    Request.Verb.ACCEPT: "They are exported one by one; this page follows.",
    Request.Verb.REJECT: "They are back with the people who sent them.",
    Request.Verb.RETRY: "They are exported one by one; this page follows.",
}


@require_safe
# No right is asked here: senders may see their own requests, and click_of() checks the others.
@scoped()
def click(request: ScopedRequest, request_id: UUID) -> HttpResponseBase:
    """Show what a bulk request did: the counts, the refused rows with reasons, and the progress."""
    access = request.access
    bulk_request = click_of(access, request_id)
    # A request that was made in a project is shown there.
    if access.project is None and bulk_request.project_id is not None:
        return redirect(
            "erp:project_request", access.account.pk, bulk_request.project_id, request_id
        )
    kind = record_type(bulk_request.entity)
    accepted = bulk_request.verb in (Request.Verb.ACCEPT, Request.Verb.RETRY)
    # A sender without access to the tool sees the result too, but no links into the tool.
    can_view = bool(access.can(Permission.ITEMS_VIEW))
    context = {
        "click": bulk_request,
        "kind": kind,
        "refused": _refused(bulk_request, access, kind),
        "done_heading": f"{counted(kind, bulk_request.done)} {DONE_WORDS[bulk_request.verb]}",
        "done_text": NEXT_WORDS[bulk_request.verb],
        "wait": wait_reasons.of_click(bulk_request),
        "refused_heading": f"{counted(kind, len(bulk_request.refused))} refused",
        "records_url": _records_url(bulk_request, access, kind),
        "progress": _progress(bulk_request, access) if accepted and bulk_request.done else None,
        "items": _items_of_click(bulk_request, access, request.GET) if accepted else None,
        "items_href": scoped_urls.to(access, "request_items", request_id=bulk_request.pk),
        "items_url": scoped_urls.to(access, "items", kind=kind.slug) if can_view else "",
    }
    return render(request, "erp/click.html", context)


def _refused(bulk_request: Request, access: Access, kind: RecordType) -> list[dict[str, object]]:
    """Return the refused rows with a link: to the item for approvers, to the record for senders."""
    items: dict[int, UUID] = {}
    if bulk_request.verb not in (Request.Verb.SEND, Request.Verb.RETRIEVE):
        records = [row["record_id"] for row in bulk_request.refused]
        rows = Item.objects.visible_to(access).filter(entity=kind.entity, record_id__in=records)
        # Ordered by id, so that the link leads to the record's latest item.
        items = dict(rows.order_by("pk").values_list("record_id", "public_id"))
    return [
        {**row, "url": _row_url(row["record_id"], items, access, kind)}
        for row in bulk_request.refused
    ]


def _row_url(record_id: int, items: dict[int, UUID], access: Access, kind: RecordType) -> str:
    if record_id in items:
        return scoped_urls.to(access, "item", public_id=items[record_id])
    if not access.can(kind.view_action):
        return ""
    return kind.url(access.account.pk, record_id, scoped_urls.project_id(access))


def _records_url(bulk_request: Request, access: Access, kind: RecordType) -> str:
    """Return the URL of the record list; empty for those who may not open it."""
    if not access.can(kind.view_action):
        return ""
    return kind.list_url(access.account.pk, bulk_request.project_id)


@require_safe
@scoped()
def click_items(request: ScopedRequest, request_id: UUID) -> HttpResponse:
    """The rows of a bulk request with the state of each; the browser polls it while any moves."""
    bulk_request = click_of(request.access, request_id)
    context = {
        "items": _items_of_click(bulk_request, request.access, request.GET),
        "items_href": scoped_urls.to(request.access, "request_items", request_id=bulk_request.pk),
        "kind": record_type(bulk_request.entity),
    }
    return render(request, "erp/parts/click_items.html", context)


def _items_of_click(bulk_request: Request, access: Access, query: QueryDict) -> dict[str, object]:
    """Return one page of the items that a bulk request has accepted, in the order of their ids."""
    # ``found.items`` are those that it accepted or retried.
    items = bulk_request.items.with_parent().select_related("connection")
    page = list_page(items, query, sorts={"order": "pk"}, default="order", search=search)
    held_up = wait_reasons.of_items(page.rows)
    rows = [
        {
            "item": item,
            "badge": SENDER_BADGES[item.state],
            "url": _item_url(item, access),
            "wait": held_up.get(item.pk),
        }
        for item in page.rows
    ]
    # An item that waits for its parent does not keep the browser polling.
    moving = any(item.state in MOVING and item.waits_for is None for item in page.rows)
    return {"page": page, "rows": rows, "moving": moving}


def _item_url(item: Item, access: Access) -> str:
    can_view = access.can(Permission.ITEMS_VIEW)
    return scoped_urls.to(access, "item", public_id=item.public_id) if can_view else ""


def _progress(bulk_request: Request, access: Access) -> dict[str, object]:
    items = bulk_request.items.all()
    moving = items.filter(state__in=MOVING).count()
    synced = items.filter(state=State.SYNCED).count()
    # Unlinked items were synced before, so they count as done.
    unlinked = items.filter(state=State.UNLINKED).count()
    failed = items.filter(state__in=states_of_tab(ItemTab.FAILED)).count()
    return {
        "id": "click-progress",
        "href": scoped_urls.to(access, "request_progress", request_id=bulk_request.pk),
        "moving": moving,
        "done": synced + unlinked + failed,
        "total": bulk_request.done,
        "text": f"{synced:,} of {bulk_request.done:,} synced"
        + (f", {unlinked:,} unlinked since" if unlinked else "")
        + (f", {failed:,} failed or need an answer" if failed else "")
        + (f", {moving:,} on their way" if moving else ""),
    }


@require_safe
@scoped()
def click_progress(request: ScopedRequest, request_id: UUID) -> HttpResponse:
    """The progress bar of a bulk request, which the browser polls."""
    bulk_request = click_of(request.access, request_id)
    return render(request, "parts/progress.html", _progress(bulk_request, request.access))

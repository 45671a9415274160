"""Routes of the queue and of send and retrieve; all are ours, none is Procore's."""

from __future__ import annotations

from django.urls import URLPattern

from erp_integrations.api import items, items_bulk, record_actions
from erpbridge.rest.urls import rest

V1 = ["v1.0"]
COMPANY = "companies/<int:company_id>/"
PROJECT = "projects/<int:project_id>/"
# Actions with None concern a single item only and have no call for many.
ACTIONS: dict[str, tuple[type[items.ItemAction], type[items_bulk.ManyItems] | None]] = {
    "accept": (items.Accept, items_bulk.AcceptMany),
    "retry": (items.Retry, items_bulk.RetryMany),
    "reject": (items.Reject, items_bulk.RejectMany),
    "withdraw": (items.Withdraw, None),
    "answer": (items.Answer, None),
    "link_instead": (items.LinkInstead, None),
    "use_anyway": (items.UseAnyway, None),
    "unlink": (items.Unlink, None),
}


def _queue(scope: str, prefix: str) -> list[URLPattern]:
    base = f"{scope}erp_queue"
    patterns = [
        *rest(V1, base, items.Queue.as_view(), name=f"{prefix}queue"),
        *rest(V1, f"{base}/<int:pk>", items.OneItem.as_view(), name=f"{prefix}queue_item"),
        *rest(
            V1,
            f"{scope}erp_requests/<uuid:request_id>",
            record_actions.Click.as_view(),
            name=f"{prefix}click",
        ),
    ]
    for action, (single, bulk) in ACTIONS.items():
        name = f"{prefix}queue_{action}"
        patterns += rest(V1, f"{base}/<int:pk>/actions/{action}", single.as_view(), name=name)
        if bulk is not None:
            patterns += rest(V1, f"{base}/actions/{action}", bulk.as_view(), name=f"{name}_many")
    return patterns


def _records(scope: str, prefix: str, route: str, entity: str) -> list[URLPattern]:
    # One view class serves all record types; the route says which.
    of_type: dict[str, object] = {"entity": entity}
    record, base = f"{scope}{route}/<int:pk>", f"{scope}{route}/actions"
    retrieving = record_actions.ManyRecords.as_view(**of_type, retrieves=True)
    views = {
        f"{record}/erp_status": ("status", record_actions.Standing.as_view(**of_type)),
        f"{record}/actions/send_to_erp": ("send", record_actions.SendRecord.as_view(**of_type)),
        f"{record}/actions/retrieve_from_erp": (
            "retrieve",
            record_actions.RetrieveRecord.as_view(**of_type),
        ),
        f"{base}/send_to_erp": ("send_many", record_actions.ManyRecords.as_view(**of_type)),
        f"{base}/retrieve_from_erp": ("retrieve_many", retrieving),
    }
    return [
        pattern
        for address, (name, view) in views.items()
        for pattern in rest(V1, address, view, name=f"{prefix}{entity}_{name}")
    ]


app_name = "erp_api"
urlpatterns: list[URLPattern] = [
    *_queue(COMPANY, ""),
    *_queue(PROJECT, "project_"),
    # Cost codes are sent by routes of their own app, because a list is sent as a whole; only their
    # status is here.
    *_records(COMPANY, "", "vendors", "vendor"),
    *_records(PROJECT, "project_", "vendors", "vendor"),
    *rest(
        V1,
        f"{COMPANY}standard_cost_codes/<int:pk>/erp_status",
        record_actions.Standing.as_view(entity="cost_code"),
        name="cost_code_status",
    ),
]

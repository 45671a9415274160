"""URLs of ERP Integrations. Pages of items exist twice: for the account and for a project."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from erp_integrations.web import (
    accept_views,
    acceptance_grid_views,
    bulk_request_views,
    item_list_views,
    item_views,
)
from erp_integrations.web.connections import (
    export_file_views,
    health_views,
    identity_views,
    polled_views,
)
from erp_integrations.web.connections import views as connections_views

app_name = "erp"

ACCOUNT = "accounts/<int:account_id>/erp/"
PROJECT = "accounts/<int:account_id>/projects/<int:project_id>/erp/"

PAGES: list[tuple[str, Callable[..., HttpResponseBase], str]] = [
    ("requests/<uuid:request_id>/", bulk_request_views.click, "request"),
    ("requests/<uuid:request_id>/progress/", bulk_request_views.click_progress, "request_progress"),
    ("requests/<uuid:request_id>/items/", bulk_request_views.click_items, "request_items"),
    ("items/<uuid:public_id>/", item_views.item, "item"),
    ("items/<uuid:public_id>/status/", item_views.status, "item_status"),
    ("items/<uuid:public_id>/accept/", item_views.accept_item, "item_accept"),
    ("items/<uuid:public_id>/reject/", item_views.reject_item, "item_reject"),
    ("items/<uuid:public_id>/answer/", item_views.answer_item, "item_answer"),
    ("items/<uuid:public_id>/link/", item_views.link_item, "item_link"),
    ("items/<uuid:public_id>/use/", item_views.use_anyway, "item_use"),
    ("items/<uuid:public_id>/unlink/", item_views.unlink_item, "item_unlink"),
    ("items/<uuid:public_id>/withdraw/", item_views.withdraw_item, "item_withdraw"),
    ("<slug:kind>/", item_list_views.item_list, "items"),
    ("<slug:kind>/progress/", item_list_views.progress, "progress"),
    ("<slug:kind>/values/", acceptance_grid_views.save_values, "values"),
    ("<slug:kind>/fill/", acceptance_grid_views.fill, "fill"),
    ("<slug:kind>/export/", acceptance_grid_views.export, "export"),
    ("<slug:kind>/defaults/", acceptance_grid_views.default_rules, "defaults"),
    ("<slug:kind>/accept/", accept_views.accept_many, "accept_many"),
    ("<slug:kind>/reject/", item_list_views.reject_many, "reject_many"),
]


def both_scopes() -> list[URLPattern]:
    """Return every page once for the account and once for a project."""
    account = [path(ACCOUNT + route, view, name=name) for route, view, name in PAGES]
    project = [path(PROJECT + route, view, name=f"project_{name}") for route, view, name in PAGES]
    return account + project


urlpatterns: list[URLPattern] = [
    # For operators, about all accounts, with a token in place of a login.
    path("metrics", health_views.metrics, name="metrics"),
    path("health.json", health_views.as_json, name="health_json"),
    path(ACCOUNT + "health/", health_views.page, name="health"),
    path("erp/inbound/<uuid:public_id>/", polled_views.inbound_call, name="inbound"),
    path("erp/inbound/<uuid:public_id>/<path:rest>", polled_views.inbound_call),
    path(
        ACCOUNT + "connection/<int:pk>/files/<slug:kind>/make/",
        export_file_views.make_file,
        name="file_make",
    ),
    path(ACCOUNT + "files/<uuid:file_id>/", export_file_views.download, name="file_download"),
    path(ACCOUNT + "files/<uuid:file_id>/ids/", export_file_views.id_list, name="file_ids"),
    path(
        ACCOUNT + "files/<uuid:file_id>/confirm/",
        export_file_views.confirm_file,
        name="file_confirm",
    ),
    path(ACCOUNT + "files/<uuid:file_id>/link/", export_file_views.link_unnamed, name="file_link"),
    path(ACCOUNT + "connection/", connections_views.connections, name="connection"),
    path(ACCOUNT + "connection/new/", connections_views.create, name="connection_create"),
    path(ACCOUNT + "connection/<int:pk>/settings/", connections_views.configure, name="configure"),
    path(
        ACCOUNT + "connection/<int:pk>/leads/",
        identity_views.lead_elsewhere,
        name="lead_elsewhere",
    ),
    path(ACCOUNT + "connection/<int:pk>/act/", connections_views.act, name="connection_act"),
    path(
        ACCOUNT + "connection/<int:pk>/holds/<slug:kind>/",
        connections_views.holdings,
        name="holdings",
    ),
    path(
        ACCOUNT + "companies/",
        item_list_views.item_list,
        kwargs={"kind": "companies"},
        name="companies",
    ),
    path(
        PROJECT + "companies/",
        item_list_views.item_list,
        kwargs={"kind": "companies"},
        name="project_companies",
    ),
    # Last, because <slug:kind>/ also matches the fixed addresses above, such as health/.
    *both_scopes(),
]

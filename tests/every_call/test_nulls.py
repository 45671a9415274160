"""Null for a boolean counts as not sent, in every body of every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.apps import apps

from erpbridge.rest.schema.openapi import describe
from tests.every_call.ours import ROWS

APPS = ("access", "admin_wbs", "directory", "erp_integrations")
NOT_COMPARED = {"updated_at", "revision"}
VARIABLES = {"company_id": "account", "project_id": "project", "vendor_id": "company"}


def switches(schema: Mapping[str, Any], value: Any) -> Any:
    """A body with ``value`` wherever the schema takes true or false; empty where it never does."""
    kinds = schema.get("type", [])
    if "boolean" in ([kinds] if isinstance(kinds, str) else kinds):
        return value
    if "items" in schema:
        inner = switches(schema["items"], value)
        return [inner] if inner else {}
    parts = {
        name: switches(property_schema, value)
        for name, property_schema in schema.get("properties", {}).items()
    }
    return {name: part for name, part in parts.items() if part != {}}


def changing() -> dict[str, Mapping[str, Any]]:
    """PATCH of a record or of many, once for all versions, with the schema of its body."""
    schemas: dict[str, Mapping[str, Any]] = {}
    seen = set()
    for path, operations in sorted(describe()["paths"].items()):
        operation = operations.get("patch", {})
        if "requestBody" not in operation or path.split("/", 3)[3] in seen:
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if switches(schema, True):
            seen.add(path.split("/", 3)[3])
            schemas[path] = schema
    return schemas


def row_of(path: str, ours: Mapping[str, Any]) -> int:
    """The id of the record that the address, or a row of its sync, refers to."""
    words = path.removesuffix("/sync").removesuffix("/{id}").split("/")
    of_project = words[-1] in ("projects", "{project_id}")
    return int(ours["project" if of_project else ROWS[words[-1]]])


def stored() -> dict[str, list[Any]]:
    """Every row of every table of the product."""
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name not in NOT_COMPARED}
            for row in model._base_manager.order_by("pk").values()
        ]
        for app in APPS
        for model in apps.get_app_config(app).get_models()
    }


@pytest.mark.parametrize("path", list(changing()))
def test_null_for_a_switch_changes_nothing(path, ours, api):
    schema, pk = changing()[path], row_of(path, ours)
    names = {name: ours[row] for name, row in VARIABLES.items()} | {"id": pk}
    address = path.format(**names)

    def patch(value: Any) -> Any:
        body = switches(schema, value)
        for row in body.get("updates", ()):
            row["id"] = pk
        return api.patch(address, body)

    assert patch(True).status_code in (200, 204, 422)
    before = stored()
    answer = patch(None)
    assert answer.status_code in (200, 204), answer.content
    assert stored() == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("vendors", {"vendor": {"name": "Firm", "is_active": None}}, "is_active"),
        ("companies/{}/trades", {"trade": {"name": "Masonry", "active": None}}, "active"),
        ("projects", {"project": {"name": "Quarry School", "active": None}}, "active"),
    ],
)
def test_null_for_a_switch_of_a_new_record_leaves_the_default(path, body, field, api, account):
    made = api.post(path.format(account.pk), body)
    assert (made.status_code, made.json()[field]) == (201, True)


def test_null_is_no_yes_to_a_question(api, ours):
    vendor = {"bidding": {"small_business": True, "eight_a_business": None}}
    bidding = api.patch(f"vendors/{ours['company']}", {"vendor": vendor}).json()["bidding"]
    assert (bidding["small_business"], bidding["eight_a_business"]) == (True, False)
    bidding = api.patch(f"vendors/{ours['company']}", {"vendor": {"bidding": None}}).json()[
        "bidding"
    ]
    assert bidding["small_business"] is True

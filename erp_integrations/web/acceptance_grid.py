"""The acceptance grid of a list page: an input in each row for what accounting has to fill in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict

from erp_integrations.adapters.base import AcceptanceField, Operation
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Item
from erp_integrations.models.record_types import RecordType
from erp_integrations.web import scoped_urls
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number

# An input is called so, then item id and field.
VALUE = "value-"


def posted_values(posted: QueryDict) -> dict[int, dict[str, str]]:
    """The values of a posted grid, by item id and field."""
    values: dict[int, dict[str, str]] = {}
    for key in posted:
        pk, _, name = key.removeprefix(VALUE).partition("-")
        if key.startswith(VALUE) and name and number(pk):
            values.setdefault(number(pk), {})[name] = str(posted[key])
    return values


def grid(access: Access, kind: RecordType, items: Sequence[Item]) -> dict[str, Any] | None:
    """What the list page needs to show values in its rows; None where none are filled in."""
    connection = connection_services.active(access.account.pk, kind.entity)
    manifest = adapter_loading.usable_manifest(connection, kind.entity)
    if kind.unit != "list" or connection is None or manifest is None:
        return None
    fields = manifest.acceptance_fields
    offers = Offers(connection, manifest)
    return {
        "fields": fields,
        "choices": offers.by_field(),
        "inputs": {item.pk: _inputs(item, fields, offers) for item in items},
        "urls": {
            name: scoped_urls.to(access, name, kind=kind.slug)
            for name in ("values", "fill", "export", "defaults")
        },
    }


def meaning(kind: RecordType, name: str, value: str, *, account_id: int) -> str:
    """What the ERP calls a value that was picked; empty where it has no list for the field."""
    connection = connection_services.active(account_id, kind.entity)
    manifest = adapter_loading.usable_manifest(connection, kind.entity)
    if connection is None or manifest is None:
        return ""
    return Offers(connection, manifest).words(name).get(value, "")


def _inputs(item: Item, fields: Sequence[AcceptanceField], offers: Offers) -> list[dict[str, Any]]:
    if item.operation != Operation.CREATE:
        return [{"label": one.label, "kept": True} for one in fields]
    return [
        {
            "name": f"{VALUE}{item.pk}-{one.name}",
            "label": one.label,
            "value": item.acceptance.get(one.name, ""),
            "meaning": offers.words(one.name).get(item.acceptance.get(one.name, ""), ""),
            "choices": one.name if one.choices else "",
            "required": one.required,
        }
        for one in fields
    ]

"""The acceptance grid: each row of a list has inputs for the fields that accounting fills in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from django.http import QueryDict

from erp_integrations.adapters.base import AcceptanceField, Operation
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Item
from erp_integrations.models.record_types import RecordType
from erp_integrations.workflow import scoped_urls
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number

# The name of an input is VALUE, the item id, "-" and the name of the field.
VALUE = "value-"


def posted_values(posted: QueryDict) -> dict[int, dict[str, str]]:
    """Return the values of a posted grid by item id and field; other fields are ignored."""
    values: dict[int, dict[str, str]] = {}
    for key in posted:
        pk, _, name = key.removeprefix(VALUE).partition("-")
        if key.startswith(VALUE) and name and number(pk):
            values.setdefault(number(pk), {})[name] = str(posted[key])
    return values


class Grid(TypedDict):
    """The template context of the inputs of a list; ``inputs`` is by item id."""

    fields: Sequence[AcceptanceField]
    choices: Mapping[str, Mapping[str, str]]
    inputs: Mapping[int, list[dict[str, object]]]
    urls: Mapping[str, str]


def grid(access: Access, kind: RecordType, items: Sequence[Item]) -> Grid | None:
    """Return the template context of the grid; None if rows of this type have no inputs.

    Only record types that are sent as a list have a grid; others have ``accept_views``.
    """
    connection = connection_services.active(access.account.pk, kind.entity)
    manifest = adapter_loading.usable_manifest(connection, kind.entity)
    if kind.unit != "list" or connection is None or manifest is None:
        return None
    fields = manifest.acceptance_fields
    # Read once for all rows of the page.
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
    """Return the ERP's label of a picked code; empty if the field has no list."""
    connection = connection_services.active(account_id, kind.entity)
    manifest = adapter_loading.usable_manifest(connection, kind.entity)
    if connection is None or manifest is None:
        return ""
    return Offers(connection, manifest).words(name).get(value, "")


def _inputs(
    item: Item, fields: Sequence[AcceptanceField], offers: Offers
) -> list[dict[str, object]]:
    # An update has no acceptance values; its cells say that the ERP's values are kept.
    if item.operation != Operation.CREATE:
        return [{"label": field.label, "kept": True} for field in fields]
    return [
        {
            "name": f"{VALUE}{item.pk}-{field.name}",
            "label": field.label,
            "value": item.acceptance.get(field.name, ""),
            "meaning": offers.words(field.name).get(item.acceptance.get(field.name, ""), ""),
            "choices": field.name if field.choices else "",
            "required": field.required,
        }
        for field in fields
    ]

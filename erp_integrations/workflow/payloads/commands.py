"""Items as the commands that an adapter carries out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from erp_integrations.adapters.base import Command, Operation
from erp_integrations.models import Item, Link


def command_of(
    item: Item,
    *,
    link: Link | None = None,
    parent: Link | None = None,
    key: str | None = None,
    acceptance: Mapping[str, Any] | None = None,
) -> Command:
    """The command that exporting this item is, or would be with another key and other values."""
    return Command(
        intent=str(item.intent or ""),
        entity=item.entity,
        operation=Operation(item.operation),
        key=item.erp_key if key is None else key,
        payload=item.payload,
        acceptance=item.acceptance if acceptance is None else acceptance,
        erp_id=link.erp_id if link else "",
        erp_version=link.erp_version if link else "",
        parent_erp_id=parent.erp_id if parent else "",
    )

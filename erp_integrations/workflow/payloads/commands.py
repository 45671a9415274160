"""Items as the commands that an adapter carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from erp_integrations.adapters.base import Command, Operation
from erp_integrations.models import Attempt, Connection, Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.record_types import Draft
from erpbridge.outgoing.uptime import uptime


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


@dataclass
class Claim:
    """An item that this worker holds under a fence until its lease ends."""

    item: Item
    command: Command
    attempt: Attempt
    # The links that the command goes by: the record's own, and that of its parent.
    link: Link | None = None
    parent: Link | None = None
    # Nobody compared the record's own with the ERP, or its key there is not known.
    unseen: bool = False
    # ``uptime()`` at the claim.
    began: float = field(default_factory=uptime)


def full_command(connection: Connection, item: Item) -> Command:
    """The command of one claimed item, its own and its parent's ERP ids included."""
    records = [item.record_id, *([item.parent_id] if item.parent_id is not None else [])]
    links = active_links(connection, item.entity, records)
    return command_of(item, link=links.get(item.record_id), parent=links.get(item.parent_id or 0))


def command_for(draft: Draft, link: Link | None, *, entity: str) -> Command:
    """The command that exporting this draft would be, before an approver fills anything in."""
    return Command(
        intent="",
        entity=entity,
        operation=Operation.UPDATE if link else Operation.CREATE,
        key=link.erp_code if link else "",
        payload=draft.payload,
        acceptance={},
        erp_id=link.erp_id if link else "",
        erp_version=link.erp_version if link else "",
    )

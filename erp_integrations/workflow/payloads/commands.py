"""Commands for adapters, made from items and drafts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    acceptance: Mapping[str, object] | None = None,
) -> Command:
    """Return the command that exports an item.

    :param link: active link of the record; its ERP ID and version go into the command.
    :param parent: active link of the parent record.
    :param key: used in place of the item's ERP key, to validate before acceptance.
    :param acceptance: used in place of the item's acceptance values, likewise.
    """
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
    """An item that this worker has claimed, with its command and attempt."""

    item: Item
    command: Command
    attempt: Attempt
    # The links that the command uses: the record's own, and its parent's.
    link: Link | None = None
    parent: Link | None = None
    # Whether the ERP record has to be read before an update (``workflow.links.comparison``): its ID
    # is not compared, or its key is unknown.
    unseen: bool = False
    # ``uptime()`` at the claim: deadlines are measured by it and not by the wall clock
    # (docs/adr/0009-a-measured-clock.md).
    began: float = field(default_factory=uptime)


def full_command(connection: Connection, item: Item) -> Command:
    """Return the command of an item, with the ERP IDs of its record and parent."""
    records = [item.record_id, *([item.parent_id] if item.parent_id is not None else [])]
    links = active_links(connection, item.entity, records)
    return command_of(item, link=links.get(item.record_id), parent=links.get(item.parent_id or 0))


def command_for(draft: Draft, link: Link | None, *, entity: str) -> Command:
    """Return the command for a draft, to validate it before it is sent.

    It has no intent and no acceptance values yet.
    """
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

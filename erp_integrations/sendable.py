"""The seam: the one door between the record apps and the ERP.

Record apps import this module of ``erp_integrations`` and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from erp_integrations.adapters.base import Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.api import action_responses as clicking
from erp_integrations.api.schemas import Clicked, WholeClick
from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.wait_reasons import Wait
from erp_integrations.models.record_types import (
    Connected,
    Draft,
    FurtherPage,
    RecordType,
    Sendable,
    connection_activated,
    existing,
    is_locked,
    locked,
    register,
)
from erp_integrations.workflow.badges import (
    EVENT_WORDS,
    MARKER_CHOICES,
    Marker,
    marker,
)
from erp_integrations.workflow.bulk_requests import Done, Refusal
from erp_integrations.workflow.links.drift import note_edits
from erp_integrations.workflow.links.external_ids import Origin, link, text_of
from erp_integrations.workflow.links.link_existing import (
    ErpRow,
    NotFetched,
    erp_records,
    erp_stamp,
    fetch_begins,
    fetch_ended,
    fetch_page,
    keep_page,
    link_existing,
    linked_ids,
    note_agreement,
)
from erp_integrations.workflow.links.unlink import unlink
from erp_integrations.workflow.send.buttons import Button, ListButton, button, list_button
from erp_integrations.workflow.send.dry_run import (
    InstalledAdapter,
    check_against,
    installed_adapters,
)
from erp_integrations.workflow.send.filters import marker_filter, rejected_as_it_is, unsent
from erp_integrations.workflow.send.locks import Lock, edit_guard, lock, locks
from erp_integrations.workflow.send.services import retrieve, send
from erp_integrations.workflow.status_messages import News, news, reasons

__all__ = [
    "EVENT_WORDS",
    "MARKER_CHOICES",
    "AdapterUnavailable",
    "Button",
    "Clicked",
    "Connected",
    "Done",
    "Draft",
    "ErpRow",
    "FurtherPage",
    "InstalledAdapter",
    "Limit",
    "ListButton",
    "Lock",
    "Marker",
    "News",
    "NotFetched",
    "Origin",
    "Problem",
    "RecordType",
    "Refusal",
    "Sendable",
    "Wait",
    "WholeClick",
    "button",
    "check_against",
    "clicking",
    "connected",
    "connection_activated",
    "connections_of",
    "edit_guard",
    "erp_records",
    "erp_stamp",
    "existing",
    "fetch_begins",
    "fetch_ended",
    "fetch_page",
    "hold",
    "installed_adapters",
    "is_locked",
    "keep_page",
    "limits",
    "link",
    "link_existing",
    "linked_ids",
    "list_button",
    "lock",
    "locked",
    "locks",
    "marker",
    "marker_filter",
    "news",
    "note_agreement",
    "note_edits",
    "reasons",
    "register",
    "rejected_as_it_is",
    "retrieve",
    "send",
    "text_of",
    "unlink",
    "unsent",
    "wait_of_list",
]


@dataclass(frozen=True)
class Limit:
    """How long a field may be for the connected ERP."""

    field: str
    most: int
    erp_label: str


def connected(account_id: int, entity: str) -> Connected | None:
    """The connection that the account uses for a record type; None where there is none."""
    connection = connection_services.active(account_id, entity)
    return connection_services.as_connected(connection, entity) if connection else None


def connections_of(account_id: int) -> QuerySet[Any]:
    """The rows that :func:`hold` locks, for a view that locks what ``If-Match`` is about."""
    return connection_services.of_account(account_id)


def hold(account_id: int) -> None:
    """Lock the account's connections. Whoever writes records and then, in the same transaction,
    sends or links them does so first: connections are locked before records (docs/locks.md).
    """
    connection_services.hold(account_id)


def wait_of_list(entity: str, account_id: int, rows: QuerySet[Any]) -> Wait | None:
    """Why what was sent of some records waits, and until when; None where nothing does."""
    connection = connection_services.active(account_id, entity)
    if connection is None or not rows.filter(locked()).exists():
        return None
    return wait_reasons.of_connection(connection)


def limits(account_id: int, entity: str) -> dict[str, Limit]:
    """Length limits of the connected ERP by field, for counters on forms."""
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return {}
    try:
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable:
        return {}
    found = manifest.entities.get(entity)
    if found is None:
        return {}
    lengths = {one.name: found.max_length(one.name) for one in found.fields}
    return {
        name: Limit(name, most, manifest.short_name)
        for name, most in lengths.items()
        if most is not None
    }

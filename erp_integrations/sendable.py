"""Public interface of this app for the record apps, which import no other module of it."""

from __future__ import annotations

from erp_integrations.adapters.base import Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections.refresh import NotFetched, Place, keep
from erp_integrations.connections.services import connected, hold
from erp_integrations.connections.services import of_account as connections_of
from erp_integrations.connections.wait_reasons import Wait
from erp_integrations.connections.wait_reasons import of_list as wait_of_list
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
    text_at,
)
from erp_integrations.workflow.badges import (
    BADGE_CHOICES,
    EVENT_WORDS,
    Badge,
    badge,
)
from erp_integrations.workflow.bulk_requests import Done, Refusal
from erp_integrations.workflow.links.drift import note_edits
from erp_integrations.workflow.links.external_ids import link, text_of
from erp_integrations.workflow.links.link_existing import (
    ErpRow,
    begin_fetch,
    erp_records,
    erp_stamp,
    fetch_page,
    link_existing,
    linked_ids,
    note_agreement,
)
from erp_integrations.workflow.links.record_columns import Origin
from erp_integrations.workflow.links.unlink import unlink
from erp_integrations.workflow.send.buttons import Button, ListButton, button, list_button
from erp_integrations.workflow.send.dry_run import (
    InstalledAdapter,
    check_against,
    installed_adapters,
)
from erp_integrations.workflow.send.filters import badge_filter, rejected_as_it_is, unsent
from erp_integrations.workflow.send.locks import Lock, edit_guard, lock, locks
from erp_integrations.workflow.send.services import retrieve, send
from erp_integrations.workflow.send.validation import Limit, limits
from erp_integrations.workflow.status_messages import News, news, reasons

__all__ = [
    "BADGE_CHOICES",
    "EVENT_WORDS",
    "AdapterUnavailable",
    "Badge",
    "Button",
    "Connected",
    "Done",
    "Draft",
    "ErpRow",
    "FurtherPage",
    "InstalledAdapter",
    "Limit",
    "ListButton",
    "Lock",
    "News",
    "NotFetched",
    "Origin",
    "Place",
    "Problem",
    "RecordType",
    "Refusal",
    "Sendable",
    "Wait",
    "badge",
    "badge_filter",
    "begin_fetch",
    "button",
    "check_against",
    "connected",
    "connection_activated",
    "connections_of",
    "edit_guard",
    "erp_records",
    "erp_stamp",
    "existing",
    "fetch_page",
    "hold",
    "installed_adapters",
    "is_locked",
    "keep",
    "limits",
    "link",
    "link_existing",
    "linked_ids",
    "list_button",
    "lock",
    "locked",
    "locks",
    "news",
    "note_agreement",
    "note_edits",
    "reasons",
    "register",
    "rejected_as_it_is",
    "retrieve",
    "send",
    "text_at",
    "text_of",
    "unlink",
    "unsent",
    "wait_of_list",
]

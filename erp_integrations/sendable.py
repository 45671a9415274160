"""The seam: the one door between the record apps and the ERP.

Record apps import this module of ``erp_integrations`` and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from erp_integrations.adapters.base import Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.api import action_responses as clicking
from erp_integrations.api.schemas import Clicked, WholeClick
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import wait_reasons
from erp_integrations.connections.wait_reasons import Wait
from erp_integrations.models import Item
from erp_integrations.models.record_types import (
    Connected,
    Draft,
    FurtherPage,
    RecordType,
    Sendable,
    connection_activated,
    existing,
    record_type,
    register,
)
from erp_integrations.models.states import (
    DRIFTED,
    EVENT_WORDS,
    LINKED,
    MARKERS,
    NOT_SENT,
    UNLINKED,
    UPDATE_BACK,
    Marker,
    State,
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
from erp_integrations.workflow.send.buttons import ListButton, list_button
from erp_integrations.workflow.send.dry_run import (
    InstalledAdapter,
    check_against,
    installed_adapters,
)
from erp_integrations.workflow.send.filters import (
    is_locked,
    locked,
    marker_filter,
    rejected_as_it_is,
    unsent,
)
from erp_integrations.workflow.send.readiness import help_link
from erp_integrations.workflow.send.services import examine, retrieve, send
from erp_integrations.workflow.status_messages import News, news, reasons
from erpbridge.access.policy import Access

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

# A record whose link has ended is not in the ERP; that it was is said by its item alone.
MARKER_CHOICES: list[tuple[str, str]] = list(
    dict.fromkeys(
        (one.key, one.label)
        for one in [NOT_SENT, *MARKERS.values(), DRIFTED]
        if one is not UNLINKED
    )
)


# What no edit of a record's fields can change.
BEYOND_EDITS = frozenset({"active", "open", "create", "update"})


@dataclass(frozen=True)
class Button:
    """The ERP button of a record page. ``verb`` is empty where none is to be shown.

    ``after_edit``: whether the record could be sent once its fields are changed; ``takes_note``:
    whether the sender can say something along with it, to whoever rejected it.
    """

    verb: str = ""
    label: str = ""
    enabled: bool = False
    reasons: tuple[Problem, ...] = ()
    help_url: str = ""
    help_label: str = ""
    after_edit: bool = False
    takes_note: bool = False


@dataclass(frozen=True)
class Lock:
    """Why a record cannot be edited now."""

    message: str
    sent_by: str
    sent_at: datetime
    item_id: str


@dataclass(frozen=True)
class Limit:
    """How long a field may be for the connected ERP."""

    field: str
    most: int
    erp_label: str


def button(entity: str, access: Access, record: Sendable) -> Button:
    """What the person can do with this record and the ERP, and if not, every reason."""
    kind = record_type(entity)
    if record.erp_state == State.READY and access.can(kind.retrieve_action):
        return Button("retrieve", "Retrieve from ERP", True)
    if not access.can(kind.send_action):
        return Button()
    found = examine(kind, [record.pk], access=access)
    reasons = tuple(found.of(record.pk))
    label = "Re-send to ERP" if record.erp_state or record.origin_id else "Send to ERP"
    url, words = help_link(found.ready, access)
    after_edit = not found.ready.problems and not any(one.rule in BEYOND_EDITS for one in reasons)
    takes_note = not reasons and record.erp_state == State.REJECTED
    return Button("send", label, not reasons, reasons, url, words, after_edit, takes_note)


def marker(record: Sendable) -> Marker:
    """Words, colour and shape for a record in a list; needs no query.

    A synced record stays green when an update of it came back.
    """
    if record.origin_id and record.erp_state in UPDATE_BACK:
        return UPDATE_BACK[record.erp_state]
    if record.drifted and record.erp_state in ("", State.SYNCED):
        return DRIFTED
    if record.erp_state in MARKERS:
        return MARKERS[record.erp_state]
    return LINKED if record.origin_id else NOT_SENT


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


def lock(entity: str, record: Sendable) -> Lock | None:
    """Who locked the record by sending it and when; None while it can be edited."""
    return locks(entity, [record]).get(record.pk)


def locks(entity: str, records: Sequence[Sendable]) -> dict[int, Lock]:
    """The same for the records of a page, by record id; one query."""
    items = Item.objects.filter(entity=entity, record_id__in=[record.pk for record in records])
    return {item.record_id: _lock(item) for item in items.open().select_related("sent_by")}


def _lock(item: Item) -> Lock:
    words = MARKERS[item.state].label
    message = (
        f"Sent to the ERP by {item.sent_by}: {words}. It is locked until accounting has decided "
        "and the export is settled."
        if item.state != State.READY
        else f"Sent to the ERP by {item.sent_by}: {words}. It can be edited once it is retrieved, "
        "or decided."
    )
    return Lock(message, str(item.sent_by), item.sent_at, str(item.public_id))


def wait_of_list(entity: str, account_id: int, rows: QuerySet[Any]) -> Wait | None:
    """Why what was sent of some records waits, and until when; None where nothing does."""
    connection = connection_services.active(account_id, entity)
    if connection is None or not rows.filter(locked()).exists():
        return None
    return wait_reasons.of_connection(connection)


def edit_guard(seen_revision: int) -> Q:
    """The WHERE part of every edit: still the revision that was seen, and not locked."""
    return Q(revision=seen_revision) & ~locked()


def limits(account_id: int, entity: str) -> dict[str, Limit]:
    """Length limits of the connected ERP by field, for counters on forms."""
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return {}
    try:
        manifest = connection_services.manifest_of(connection)
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

"""Look up in the ERP whether a command with an unknown outcome was applied."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Ambiguous,
    Delivery,
    ErrorClass,
    Found,
    Manifest,
    Operation,
)
from erp_integrations.clock import Reading, after, ago
from erp_integrations.connections import services as connection_services
from erp_integrations.export import backoff, circuit_breaker
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.services import holder_of
from erp_integrations.workflow.links.settlement import ErpRef, settle_synced
from erp_integrations.workflow.payloads.commands import full_command
from erpbridge.outgoing.uptime import uptime

logger = logging.getLogger(__name__)

# Lookups of one item before a user is asked.
MOST_LOOKS = 8
NO_LOOKUP = "This ERP has no lookup, so it is unknown whether it has the record."


def resolve_uncertain(
    connection: Connection, adapter: Adapter, manifest: Manifest, *, until: float
) -> None:
    """Look up in the ERP whether the commands of uncertain items were applied.

    :param until: ``uptime()`` at which to stop.
    """
    while uptime() < until and not circuit_breaker.is_resting(connection):
        item = reserve_lookup(connection, manifest)
        if item is None:
            return
        with tracing.handling([item]):
            if not manifest.can_find:
                ask_user(item, NO_LOOKUP)
            elif not _resolve(connection, adapter, manifest, item):
                return


def reserve_lookup(connection: Connection, manifest: Manifest) -> Item | None:
    """The next item to look up, reserved for this worker for the time of one call."""
    due = Item.objects.filter(
        connection=connection, state=State.UNCERTAIN, check_after__lte=Reading()
    )
    item: Item
    # Some at a time: another worker may reserve the first ones before this one does.
    for item in due.select_related("request").order_by("id")[:10]:
        unchanged = due.filter(pk=item.pk, looks=item.looks)
        if unchanged.update(check_after=after(manifest.call_deadline), looks=item.looks + 1):
            item.looks += 1
            # With changed settings the lookup might ask a different ERP.
            return item if connection_services.is_as_read(connection) else None
    return None


def _unchanged(item: Item) -> ItemQuerySet:
    """The item's row, if nobody has changed it since this lookup began."""
    return Item.objects.filter(
        pk=item.pk, state=State.UNCERTAIN, fence=item.fence, looks=item.looks
    )


def _resolve(connection: Connection, adapter: Adapter, manifest: Manifest, item: Item) -> bool:
    """Look up one item and decide. False if the ERP could not be asked."""
    # Read before the lookup: a command that takes effect in between must not count as settled.
    settled = has_settled(item, manifest)
    try:
        record = adapter.find(item.entity, item.erp_key)
    except AdapterError as error:
        _look_failed(connection, item, error)
        return False
    tracing.looked_up(item, record)
    circuit_breaker.record_results(connection, [None])
    decide(connection, adapter, item, record, settled=settled)
    return True


def decide(
    connection: Connection,
    adapter: Adapter,
    item: Item,
    record: Found | Ambiguous | None,
    *,
    settled: bool,
) -> None:
    """Move the item by the result of its lookup.

    :param settled: whether nothing that was sent could still take effect when the lookup began.
    """
    if isinstance(record, Found) and _is_ours(connection, adapter, item, record):
        records = {item.pk: ErpRef(record.erp_id, record.erp_code, record.erp_version)}
        settle_synced(connection, _unchanged(item), records)
    elif record is None and item.operation != Operation.CREATE:
        ask_user(item, f"{item.erp_key} is no longer in the ERP.")
    elif record is None or (
        isinstance(record, Found) and _version_unchanged(connection, item, record)
    ):
        _not_there(item, settled=settled)
    else:
        ask_user(item, f"The ERP holds another record under {item.erp_key}, or more than one.")


def _look_failed(connection: Connection, item: Item, error: AdapterError) -> None:
    logger.info("look-up of item %s failed: %s", item.pk, error)
    with transaction.atomic():
        circuit_breaker.record_results(connection, [error.error])
        if item.looks >= MOST_LOOKS:
            ask_user(item, f"The lookup in the ERP failed: {error}")
        else:
            _unchanged(item).update(check_after=after(backoff.back_off(item.looks, chance=1)))


def has_settled(item: Item, manifest: Manifest) -> bool:
    """Whether nothing that was sent for the item can still take effect in the ERP.

    A command in a queue of the ERP may take effect for ``silent_after`` seconds. An answered call
    started before its answer; an unanswered one started, at the latest, half the lease margin after
    its attempt was opened (see ``engine._too_late``).
    """
    queued = manifest.silent_after if manifest.delivery == Delivery.QUEUED else 0.0
    rest = max(manifest.call_deadline, queued) + manifest.settles_within
    latest = settings.ERPBRIDGE_LEASE_MARGIN / 2 + rest
    answered = Q(answered_reading__gt=ago(rest))
    silent = Q(answered_reading=None, opened_reading__gt=ago(latest))
    return not Attempt.objects.filter(answered | silent, item=item).exists()


def _not_there(item: Item, *, settled: bool) -> None:
    """The ERP does not have it: queue the same command, with the same intent, again.

    If the ERP has not had time to settle, look again in a second; this lookup is not counted.
    """
    if settled:
        values = {"check_after": None, "not_before": None, "looks": 0}
        transitions.move(ItemEvent.RESEND, _unchanged(item), by=None, values=values)
    else:
        _unchanged(item).update(check_after=after(1), looks=F("looks") - 1)


def _version_unchanged(connection: Connection, item: Item, record: Found) -> bool:
    """Whether the ERP's record still has the version of the link, so no update was applied."""
    link = active_links(connection, item.entity, [item.record_id]).get(item.record_id)
    return link is not None and bool(link.erp_version) and link.erp_version == record.erp_version


def _is_ours(connection: Connection, adapter: Adapter, item: Item, record: Found) -> bool:
    """Whether our command wrote the record: it was absent before, equals the command, and is not
    linked to another record.
    """
    holder = holder_of(connection, item.entity, record.erp_id)
    if holder is not None and holder.record_id != item.record_id:
        return False
    # A record that was there before the create is somebody else's, even if it looks the same.
    if item.operation == Operation.CREATE and not _was_absent(item):
        return False
    # With the parent's ERP ID, as it was sent: an ERP with a tree reports the parent too.
    wire = adapter.preview(full_command(connection, item))
    written = {field.source: field.value for field in wire.fields if field.source in record.data}
    return bool(written) and all(
        str(value or "") == str(record.data[name] or "") for name, value in written.items()
    )


def _was_absent(item: Item) -> bool:
    """Whether the first lookup since the last decision found nothing.

    Attempts before that decision had another key or intent.
    """
    looks = item.tries.since_decided().exclude(first_look="")
    first = looks.order_by("fence").first()
    return first is not None and first.first_look == Attempt.FirstLook.ABSENT


def ask_user(item: Item, question: str) -> None:
    """Ask a user what became of the item."""
    each = {item.pk: {"error_text": question, "error_class": ErrorClass.CONFLICT}}
    transitions.move(
        ItemEvent.ASK, _unchanged(item), by=None, values={"check_after": None}, item_columns=each
    )

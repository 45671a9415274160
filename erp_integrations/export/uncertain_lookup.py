"""Looking up in the ERP what became of a command whose outcome is unknown."""

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
from erp_integrations.models.states import State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.services import holder_of
from erp_integrations.workflow.links.settlement import Held, settle_synced
from erp_integrations.workflow.payloads.commands import full_command
from erpbridge.outgoing.uptime import uptime

logger = logging.getLogger(__name__)

# Looks into the ERP at one item before a person is asked.
MOST_LOOKS = 8


def resolve_uncertain(
    connection: Connection, adapter: Adapter, manifest: Manifest, *, until: float
) -> None:
    """Look up in the ERP what became of commands that nobody knows the outcome of.

    :param until: ``uptime()`` at which to make room for others.
    """
    while uptime() < until and not circuit_breaker.is_resting(connection):
        item = take_look(connection, manifest)
        if item is None:
            return
        with tracing.handling([item]):
            if not manifest.can_find:
                ask(item, "This ERP cannot be asked whether it took the record.")
            elif not _resolve(connection, adapter, manifest, item):
                return


def take_look(connection: Connection, manifest: Manifest) -> Item | None:
    """The next item to look up, kept from other workers for as long as a look may take."""
    due = Item.objects.filter(
        connection=connection, state=State.UNCERTAIN, check_after__lte=Reading()
    )
    item: Item
    for item in due.select_related("request").order_by("id")[:10]:
        mine = due.filter(pk=item.pk, looks=item.looks)
        if mine.update(check_after=after(manifest.call_deadline), looks=item.looks + 1):
            item.looks += 1
            return item if connection_services.is_as_read(connection) else None
    return None


def _held(item: Item) -> ItemQuerySet:
    """The item, if it is still as it was when this look at it began."""
    return Item.objects.filter(
        pk=item.pk, state=State.UNCERTAIN, fence=item.fence, looks=item.looks
    )


def _resolve(connection: Connection, adapter: Adapter, manifest: Manifest, item: Item) -> bool:
    """Look, and decide. False where the ERP could not be asked."""
    # Asked before the look: what it shows is no newer.
    settled = has_settled(item, manifest)
    try:
        found = adapter.find(item.entity, item.erp_key)
    except AdapterError as error:
        _look_failed(connection, item, error)
        return False
    tracing.looked_up(item, found)
    circuit_breaker.feed(connection, [None])
    decide(connection, adapter, item, found, settled=settled)
    return True


def decide(
    connection: Connection,
    adapter: Adapter,
    item: Item,
    found: Found | Ambiguous | None,
    *,
    settled: bool,
) -> None:
    """Decide by what a look showed.

    :param settled: whether, when the look began, nothing that was sent could take effect any more.
    """
    if isinstance(found, Found) and _is_ours(connection, adapter, item, found):
        held = {item.pk: Held(found.erp_id, found.erp_code, found.erp_version)}
        settle_synced(connection.pk, _held(item), held)
    elif found is None and item.operation != Operation.CREATE:
        ask(item, f"{item.erp_key} is no longer in the ERP.")
    elif found is None or (isinstance(found, Found) and _untouched(connection, item, found)):
        _not_there(item, settled=settled)
    else:
        ask(item, f"The ERP holds another record under {item.erp_key}, or more than one.")


def _look_failed(connection: Connection, item: Item, error: AdapterError) -> None:
    logger.info("look-up of item %s failed: %s", item.pk, error)
    with transaction.atomic():
        circuit_breaker.feed(connection, [error.error])
        if item.looks >= MOST_LOOKS:
            ask(item, f"The ERP could not be asked: {error}")
        else:
            _held(item).update(check_after=after(backoff.back_off(item.looks, chance=1)))


def has_settled(item: Item, manifest: Manifest) -> bool:
    """Whether nothing that was sent for the item can still take effect in the ERP.

    What may lie in a queue of the ERP takes effect until that has been silent for too long.
    An answered call began before its answer; one that nobody answered began, at the latest, when
    its worker would have found it too late to begin.
    """
    queued = manifest.silent_after if manifest.delivery == Delivery.QUEUED else 0.0
    rest = max(manifest.call_deadline, queued) + manifest.settles_within
    latest = settings.ERPBRIDGE_LEASE_MARGIN / 2 + rest
    answered = Q(answered_reading__gt=ago(rest))
    silent = Q(answered_reading=None, opened_reading__gt=ago(latest))
    return not Attempt.objects.filter(answered | silent, item=item).exists()


def _not_there(item: Item, *, settled: bool) -> None:
    """The ERP did not take it: queue the same command, with the same intent, again.

    Believed only once the ERP has had time to settle; until then the look does not count.
    """
    if settled:
        values = {"check_after": None, "not_before": None, "looks": 0}
        transitions.move("resend", _held(item), by=None, values=values)
    else:
        _held(item).update(check_after=after(1), looks=F("looks") - 1)


def _untouched(connection: Connection, item: Item, found: Found) -> bool:
    """An update that left the version as it was has not been applied."""
    link = active_links(connection, item.entity, [item.record_id]).get(item.record_id)
    return link is not None and bool(link.erp_version) and link.erp_version == found.erp_version


def _is_ours(connection: Connection, adapter: Adapter, item: Item, found: Found) -> bool:
    """Ours only if it was not there before, equals our command, and no other record holds it."""
    holder = holder_of(connection, item.entity, found.erp_id)
    if holder is not None and holder.record_id != item.record_id:
        return False
    if item.operation == Operation.CREATE and not _was_absent(item):
        return False
    # As it was sent: an ERP that keeps a tree also tells under which parent the record is.
    wire = adapter.preview(full_command(connection, item))
    written = {one.source: one.value for one in wire.fields if one.source in found.data}
    return bool(written) and all(
        str(value or "") == str(found.data[name] or "") for name, value in written.items()
    )


def _was_absent(item: Item) -> bool:
    """What the first look since the decision said; earlier tries had another key or intent."""
    looks = item.tries.since_decided().exclude(first_look="")
    first = looks.order_by("fence").first()
    return first is not None and first.first_look == "absent"


def ask(item: Item, question: str) -> None:
    """Leave it to a person."""
    each = {item.pk: {"error_text": question, "error_class": "conflict"}}
    transitions.move("ask", _held(item), by=None, values={"check_after": None}, each=each)

"""Finding what was lost: expired leases, unknown outcomes, due items nobody was woken for."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from erp_integrations import moves
from erp_integrations.adapters.base import Adapter, AdapterError, Found, Manifest, Operation
from erp_integrations.clock import after
from erp_integrations.links import active_links, holder_of
from erp_integrations.models import Attempt, Connection, Item, Ticker
from erp_integrations.settling import settle_synced
from erp_integrations.states import State
from erp_integrations.wakeups import publish

logger = logging.getLogger(__name__)

# Seconds between two ticks, whichever process makes them.
PERIOD = 10.0
# Looks into the ERP at one item before a person is asked.
MOST_LOOKS = 8


def tick(*, period: float = PERIOD) -> bool:
    """Recover what is due, if no other process did within ``period`` seconds.

    :returns: whether this process did it.
    """
    Ticker.objects.get_or_create(pk=1, defaults={"ran_at": after(-period - 1)})
    if not Ticker.objects.filter(pk=1, ran_at__lt=after(-period)).update(ran_at=Now()):
        return False
    expire_leases()
    for connection_id in due_connections():
        publish(connection_id)
    return True


def expire_leases() -> int:
    """Items whose worker has gone: what it did is unknown until somebody looks."""
    with transaction.atomic():
        expired = Item.objects.filter(lease_until__lt=Now())
        items = moves.move(
            "lose", expired, by=None, values={"lease_until": None, "check_after": Now()}
        )
        for item in items:
            open_ones = Attempt.objects.filter(item=item, outcome=Attempt.Outcome.OPEN)
            open_ones.update(outcome=Attempt.Outcome.LOST)
    return len(items)


def due_connections() -> list[int]:
    """Connections with something to export or to look up now."""
    ready = Q(items__state=State.QUEUED, items__blocked_by=None) & (
        Q(items__not_before=None) | Q(items__not_before__lte=Now())
    )
    unknown = Q(items__state=State.UNCERTAIN, items__check_after__lte=Now())
    resting = Q(paused_at__isnull=False) | Q(breaker_until__gt=Now())
    found = Connection.objects.filter(ready | unknown).exclude(resting)
    return list(found.values_list("pk", flat=True).distinct())


def resolve_uncertain(connection: Connection, adapter: Adapter, manifest: Manifest) -> None:
    """Look up in the ERP what became of commands that nobody knows the outcome of."""
    while (item := _take_look(connection, manifest)) is not None:
        _resolve(connection, adapter, manifest, item)


def _take_look(connection: Connection, manifest: Manifest) -> Item | None:
    """The next item to look up, kept from other workers for as long as a look may take."""
    if connection.paused_at is not None:
        return None
    due = Item.objects.filter(connection=connection, state=State.UNCERTAIN, check_after__lte=Now())
    item: Item
    for item in due.order_by("id")[:10]:
        mine = due.filter(pk=item.pk, looks=item.looks)
        if mine.update(check_after=after(manifest.call_deadline), looks=item.looks + 1):
            item.looks += 1
            return item
    return None


def _resolve(connection: Connection, adapter: Adapter, manifest: Manifest, item: Item) -> None:
    if not manifest.can_find:
        _ask(item, "This ERP cannot be asked whether it took the record.")
        return
    try:
        found = adapter.find(item.entity, item.erp_key)
    except AdapterError as error:
        logger.info("look-up of item %s failed: %s", item.pk, error)
        if item.looks >= MOST_LOOKS:
            _ask(item, f"The ERP could not be asked: {error}")
        return
    if found is None:
        _nothing_there(item, manifest)
    elif isinstance(found, Found) and _is_ours(connection, manifest, item, found):
        settle_synced(
            Item.objects.all(),
            item,
            erp_id=found.erp_id,
            erp_code=found.erp_code,
            erp_version=found.erp_version,
        )
    elif isinstance(found, Found) and _untouched(connection, item, found):
        _resend(item)
    else:
        _ask(item, f"The ERP holds another record under {item.erp_key}, or more than one.")


def _nothing_there(item: Item, manifest: Manifest) -> None:
    """Believed only once the ERP has had time to settle after the last attempt's deadline."""
    settled = manifest.call_deadline + manifest.settles_within
    recent = Attempt.objects.filter(item=item, opened_at__gt=after(-settled))
    if item.operation != Operation.CREATE:
        _ask(item, f"{item.erp_key} is no longer in the ERP.")
    elif recent.exists():
        Item.objects.filter(pk=item.pk, state=State.UNCERTAIN).update(
            check_after=after(1), looks=F("looks") - 1
        )
    else:
        _resend(item)


def _resend(item: Item) -> None:
    """The ERP did not take it: queue the same command, with the same intent, again."""
    one = Item.objects.filter(pk=item.pk)
    moves.move("resend", one, by=None, values={"check_after": None, "not_before": None})


def _untouched(connection: Connection, item: Item, found: Found) -> bool:
    """An update that left the version as it was has not been applied."""
    link = active_links(connection, item.entity, [item.record_id]).get(item.record_id)
    return link is not None and bool(link.erp_version) and link.erp_version == found.erp_version


def _is_ours(connection: Connection, manifest: Manifest, item: Item, found: Found) -> bool:
    """Ours only if it was not there before, equals our command, and no other record holds it."""
    holder = holder_of(connection, item.entity, found.erp_id)
    if holder is not None and holder.record_id != item.record_id:
        return False
    if item.operation == Operation.CREATE:
        looked = item.tries.exclude(first_look="").order_by("fence").first()
        if looked is None or looked.first_look != "absent":
            return False
    sent = {**item.payload, **item.acceptance}
    names = [one.name for one in manifest.entities[item.entity].fields if one.name in found.data]
    return all((sent.get(name) or "") == (found.data[name] or "") for name in names)


def _ask(item: Item, question: str) -> None:
    each = {item.pk: {"error_text": question, "error_class": "conflict"}}
    one = Item.objects.filter(pk=item.pk)
    moves.move("ask", one, by=None, values={"check_after": None}, each=each)

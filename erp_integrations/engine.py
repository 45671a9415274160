"""The export engine: claim, look, submit, settle.

The row is the queue. A claim is committed, with an attempt row, before anything leaves the
machine; the answer is settled only where the item still carries the claim's fence, so a worker
that was paused and comes back cannot settle what was given to another. A create never overwrites:
before the first attempt the ERP is asked whether the key is taken. Whatever is not known for
certain becomes UNCERTAIN and is looked up by ``recovery`` before anything is sent again.
Protocol and reasons: architecture.md section 4.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection as db
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from erp_integrations import connections, moves, pacing, recovery
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Command,
    Effect,
    EntityManifest,
    ErpError,
    ErrorClass,
    Found,
    Manifest,
    Operation,
    Outcome,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clock import after
from erp_integrations.commands import command_of
from erp_integrations.links import active_links
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.queries import ItemQuerySet
from erp_integrations.settling import settle_synced
from erp_integrations.states import State
from erp_integrations.wakeups import publish

logger = logging.getLogger(__name__)

# Seconds that a lease outlives the deadline of the calls made under it.
LEASE_MARGIN = 60.0
# Seconds one wake-up may work before it makes room for other connections.
BUDGET = 20.0
# Errors that say something about the connection, not about the record.
CONNECTION_ERRORS = frozenset({ErrorClass.TRANSIENT, ErrorClass.THROTTLED, ErrorClass.AUTH_EXPIRED})
ANSWER_EXCERPT = 2_000


@dataclass
class Claim:
    """An item that this worker holds under a fence until its lease ends."""

    item: Item
    command: Command
    attempt: Attempt


def worker_name() -> str:
    """Which process made an attempt."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def drain(connection_id: int) -> None:
    """Export what is due on a connection; more than a turn's worth wakes the next turn up."""
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None:
        return
    try:
        adapter = connections.adapter_of(connection)
        manifest = connections.manifest_of(connection)
    except AdapterUnavailable:
        logger.exception("connection %s cannot be used", connection_id)
        return
    ends = time.monotonic() + BUDGET
    recovery.resolve_uncertain(connection, adapter, manifest)
    while claims := claim(connection, manifest):
        run(connection, adapter, manifest, claims)
        _give_way(len(claims))
        if time.monotonic() > ends:
            publish(connection_id)
            return


def _give_way(items: int) -> None:
    """SQLite has no fair lock: a tight loop would starve the pages that want to write."""
    if db.vendor == "sqlite":
        time.sleep(0.001 * items)


def claim(connection: Connection, manifest: Manifest) -> list[Claim]:
    """Take the next items that are due, all of one record type, and write the attempts ahead."""
    with transaction.atomic():
        held = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if held.paused_at is not None or _breaker_open(held):
            return []
        in_flight = held.items.filter(state=State.SENDING).count()
        due = _due(held)
        first = due.order_by("depth", "id").first()
        if first is None or in_flight >= held.max_in_flight:
            return []
        room = min(_batch(manifest, held, first), held.max_in_flight - in_flight)
        chosen = due.filter(entity=first.entity).order_by("depth", "id").values_list("pk")[:room]
        found = Item.objects.filter(pk__in=[pk for (pk,) in chosen])
        lease = _lease(manifest)
        items = moves.move(
            "claim",
            found,
            by=None,
            values={
                "fence": F("fence") + 1,
                "attempts": F("attempts") + 1,
                "lease_until": after(lease),
            },
        )
        return _write_ahead(held, items)


def _lease(manifest: Manifest) -> float:
    return manifest.call_deadline + LEASE_MARGIN


def _breaker_open(held: Connection) -> bool:
    return Connection.objects.filter(pk=held.pk, breaker_until__gt=Now()).exists()


def _due(held: Connection) -> ItemQuerySet:
    """Items whose time has come. Their keys are theirs alone while they are in the air."""
    ready_now = Q(not_before=None) | Q(not_before__lte=Now())
    waiting = Item.objects.filter(connection=held, state=State.QUEUED, blocked_by=None)
    return waiting.filter(ready_now)


def _batch(manifest: Manifest, held: Connection, first: Item) -> int:
    """How many at once; after a failure one, so that a bad item takes no other down with it."""
    if first.attempts or held.breaker_failures:
        return 1
    found = manifest.entities.get(first.entity)
    return found.batch if found else 1


def _write_ahead(held: Connection, items: Sequence[Item]) -> list[Claim]:
    fresh = {item.pk: item for item in Item.objects.filter(pk__in=[one.pk for one in items])}
    links = {}
    if items:
        records = [item.record_id for item in items]
        links = active_links(held, items[0].entity, records)
    attempts = Attempt.objects.bulk_create(
        Attempt(item=fresh[item.pk], fence=fresh[item.pk].fence, worker=worker_name())
        for item in items
    )
    return [
        Claim(one.item, command_of(one.item, link=links.get(one.item.record_id)), one)
        for one in sorted(attempts, key=lambda one: (one.item.depth, one.item_id))
    ]


def run(
    connection: Connection, adapter: Adapter, manifest: Manifest, claims: Sequence[Claim]
) -> None:
    """Look, submit and settle what was claimed."""
    started = time.monotonic()
    ready: list[Claim] = []
    for one in claims:
        refusal = look_first(adapter, manifest.entities.get(one.item.entity), one)
        if refusal is None:
            ready.append(one)
        else:
            settle(connection, manifest, one, Outcome(error=refusal))
    if not ready:
        return
    if time.monotonic() - started > LEASE_MARGIN / 2:
        # Too little of the lease is left for a call that may take its whole deadline.
        late = ErpError(ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "The ERP was too slow to look.")
        outcomes: Sequence[Outcome] = [Outcome(error=late)] * len(ready)
    else:
        outcomes = _submit(adapter, ready)
    for one, outcome in zip(ready, outcomes, strict=True):
        settle(connection, manifest, one, outcome)


def look_first(adapter: Adapter, entity: EntityManifest | None, one: Claim) -> ErpError | None:
    """Why the command must not be sent, as far as a look into the ERP tells."""
    if entity is None:
        return ErpError(ErrorClass.UNSUPPORTED, Effect.NOT_APPLIED, "The ERP does not take these.")
    if one.command.operation != Operation.CREATE:
        return None
    try:
        found = adapter.find(one.item.entity, one.command.key)
    except AdapterError as error:
        return ErpError(
            error.error.cls,
            Effect.NOT_APPLIED,
            error.error.message,
            retry_after=error.error.retry_after,
        )
    one.attempt.first_look = "absent" if found is None else "present"
    one.attempt.erp_id = found.erp_id if isinstance(found, Found) else ""
    one.attempt.save(update_fields=["first_look", "erp_id"])
    if found is None:
        return None
    name = found.data.get("name", "") if isinstance(found, Found) else "more than one record"
    return ErpError(
        ErrorClass.DUPLICATE,
        Effect.NOT_APPLIED,
        f"{one.command.key} is already in the ERP: {name}. Nothing was written.",
        field=entity.key[0],
        advice="Link to the record that is there, or retry with another ID.",
    )


def _submit(adapter: Adapter, ready: Sequence[Claim]) -> Sequence[Outcome]:
    """The adapter's outcomes. One that breaks its contract leaves everything uncertain."""
    try:
        outcomes = adapter.submit([one.command for one in ready])
        if len(outcomes) == len(ready):
            return outcomes
        problem = f"{len(outcomes)} outcomes for {len(ready)} commands"
    except Exception as error:
        logger.exception("adapter %s failed in submit", type(adapter).__name__)
        problem = f"{type(error).__name__} in the adapter"
    unknown = ErpError(ErrorClass.BUG, Effect.UNCERTAIN, f"The adapter failed: {problem}.")
    return [Outcome(error=unknown)] * len(ready)


def settle(connection: Connection, manifest: Manifest, one: Claim, outcome: Outcome) -> None:
    """Store what became of a claim, unless the item has been given to another since."""
    with transaction.atomic():
        held = Item.objects.filter(pk=one.item.pk, fence=one.item.fence)
        moved = _move_by(held, manifest, one.item, outcome)
        _close_attempt(one.attempt, outcome, late=not moved)
        _feed_breaker(connection, outcome.error)


def _move_by(held: ItemQuerySet, manifest: Manifest, item: Item, outcome: Outcome) -> bool:
    error = outcome.error
    if error is None:
        return settle_synced(
            held,
            item,
            erp_id=outcome.erp_id,
            erp_code=outcome.erp_code,
            erp_version=outcome.erp_version,
        )
    each = {item.pk: _error_columns(error)}
    if error.effect != Effect.NOT_APPLIED:
        values = {"lease_until": None, "check_after": after(manifest.settles_within)}
        return bool(moves.move("lose", held, by=None, values=values, each=each))
    if error.cls in CONNECTION_ERRORS and item.attempts < pacing.MOST_ATTEMPTS:
        return _postpone(held, item, error)
    ended = {"lease_until": None, "settled_at": Now()}
    return bool(moves.move("fail", held, by=None, values=ended, each=each))


def _postpone(held: ItemQuerySet, item: Item, error: ErpError) -> bool:
    wait = error.retry_after or pacing.back_off(item.attempts)
    values: dict[str, Any] = {"lease_until": None, "not_before": after(wait)}
    if error.cls == ErrorClass.THROTTLED:
        values["attempts"] = F("attempts") - 1
    each = {item.pk: _error_columns(error)}
    return bool(moves.move("postpone", held, by=None, values=values, each=each))


def _error_columns(error: ErpError) -> dict[str, str]:
    return {
        "error_class": error.cls,
        "error_field": error.field,
        "error_text": error.message,
        "error_advice": error.advice,
    }


def _close_attempt(attempt: Attempt, outcome: Outcome, *, late: bool) -> None:
    known = {
        None: Attempt.Outcome.APPLIED,
        Effect.APPLIED: Attempt.Outcome.APPLIED,
        Effect.NOT_APPLIED: Attempt.Outcome.NOT_APPLIED,
        Effect.UNCERTAIN: Attempt.Outcome.UNCERTAIN,
    }[outcome.error.effect if outcome.error else None]
    answer = outcome.answer or (outcome.error.message if outcome.error else "")
    Attempt.objects.filter(pk=attempt.pk).update(
        outcome=Attempt.Outcome.LATE if late else known,
        answered_at=Now(),
        error_class=outcome.error.cls if outcome.error else "",
        erp_id=outcome.erp_id or attempt.erp_id,
        answer_excerpt=answer[:ANSWER_EXCERPT],
    )


def _feed_breaker(connection: Connection, error: ErpError | None) -> None:
    """Count failures of the connection; too many in a row give it a rest."""
    rows = Connection.objects.filter(pk=connection.pk)
    if error is None or error.cls not in CONNECTION_ERRORS:
        rows.exclude(breaker_failures=0).update(breaker_failures=0, breaker_until=None)
        return
    if error.cls == ErrorClass.AUTH_EXPIRED:
        connections.pause(connection, by=None, reason=f"The ERP refuses the login: {error.message}")
        return
    rows.update(breaker_failures=F("breaker_failures") + 1)
    failures = rows.values_list("breaker_failures", flat=True)[0]
    wait = pacing.breaker_wait(failures)
    if wait is not None:
        rows.update(breaker_until=after(wait))

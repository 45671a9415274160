"""Log lines of an item's export, all with the trace id of the bulk request that accepted it.

A search for that id finds request, claim, lookup, call and settlement, from all processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from erp_integrations.adapters.base import Ambiguous, Found, Outcome
from erp_integrations.models import Item, Request
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.outgoing.uptime import uptime
from erpbridge.request_id import acting_for
from erpbridge.ui.logs.formatters import bound

logger = logging.getLogger(__name__)


def trace_of(item: Item) -> str:
    """Return the trace id of the bulk request that accepted the item, empty if there is none."""
    return item.request.trace_id if item.request else ""


def clicked(click: Request) -> None:
    """Log a bulk request in one line, however many records it has."""
    with acting_for(click.trace_id), bound(account=click.account_id):
        refused = len(click.refused)
        extra = {"event": click.verb, "items": click.done}
        logger.info("%s: %s taken, %s refused", click.verb, click.done, refused, extra=extra)


@contextmanager
def handling(items: Sequence[Item]) -> Iterator[None]:
    """Add the items' trace id to all log lines of the block, including the adapter's.

    If the items have different ids, or there are none, the current id stays, for example that of
    the inbound HTTP request of an ERP.
    """
    traces = {trace_of(item) for item in items}
    context = (
        {"item": str(items[0].public_id), "attempt": items[0].fence} if len(items) == 1 else {}
    )
    with acting_for(traces.pop() if len(traces) == 1 else ""), bound(**context):
        yield


def claimed(claims: Sequence[Claim]) -> None:
    """Log that this worker has claimed items."""
    for claim in claims:
        _say(claim.item, "claim", "claimed as attempt %s", claim.item.fence)


def handed(item: Item) -> None:
    """Log that a polling ERP has fetched the command."""
    _say(item, "hand_over", "handed over as attempt %s when the ERP asked", item.fence)


def reported(item: Item) -> None:
    """Log that the ERP reported the outcome of a command that it had fetched."""
    _say(item, "report", "the ERP reported on attempt %s", item.fence)


def polled(claims: Sequence[Claim], outcomes: Sequence[Outcome]) -> None:
    """Log that the ERP was asked about commands that it has queued."""
    for claim, outcome in zip(claims, outcomes, strict=True):
        # An outcome with a handle is still pending in the ERP.
        words = "not yet" if outcome.handle else "done" if outcome.error is None else "failed"
        _say(claim.item, "poll", "the ERP was asked about it: %s", words, outcome=words)


def called(claims: Sequence[Claim], *, began: float) -> None:
    """Log a call of the ERP; ``began`` is ``uptime()`` before the call."""
    took = _since(began)
    for claim in claims:
        _say(claim.item, "call", "handed to the ERP, answered in %s s", took, duration=took)


def settled(claims: Sequence[Claim]) -> None:
    """Log the outcomes of attempts, with the seconds since the claim."""
    for claim in claims:
        attempt, took = claim.attempt, _since(claim.began)
        error = f" ({attempt.error_class})" if attempt.error_class else ""
        _say(
            claim.item,
            "settle",
            "attempt %s: %s%s after %s s",
            attempt.fence,
            attempt.outcome,
            error,
            took,
            outcome=str(attempt.outcome),
            error_class=str(attempt.error_class),
            duration=took,
        )


def lost(items: Sequence[Item]) -> None:
    """Log that the lease of items has expired."""
    for item in items:
        _say(item, "lose", "its worker's lease expired", outcome="lost")


def looked_up(item: Item, result: Found | Ambiguous | None) -> None:
    """Log the result of a lookup of an item whose outcome is uncertain."""
    words = "nothing" if result is None else "one" if isinstance(result, Found) else "several"
    _say(item, "look_up", "look %s into the ERP found %s", item.looks, words, outcome=words)


def _since(began: float) -> float:
    return round(uptime() - began, 3)


def _say(item: Item, event: str, words: str, *values: object, **details: object) -> None:
    # Checked first, because the trace id below can need a query for the item's request.
    if not logger.isEnabledFor(logging.INFO):
        return
    extra = {
        "event": event,
        "account": item.account_id,
        "connection": item.connection_id,
        "item": str(item.public_id),
        "attempt": item.fence,
        **details,
    }
    # Per item: one call of the ERP can contain items of several bulk requests.
    with acting_for(trace_of(item)):
        logger.info(f"item %s: {words}", item.public_id, *values, extra=extra)  # noqa: G004

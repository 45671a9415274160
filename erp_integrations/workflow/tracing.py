"""What the log says about an item's way, under the id of the click that sent it off.

One search for that id shows click, claim, look, call and settlement, whichever process did them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from erp_integrations.adapters.base import Ambiguous, Found, Outcome
from erp_integrations.models import Item, Request
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.outgoing.uptime import uptime
from erpbridge.request_id import acting_for
from erpbridge.ui.logs.formatters import bound

logger = logging.getLogger(__name__)


def trace_of(item: Item) -> str:
    """The id of the click that accepted the item, empty where it was not kept."""
    return item.request.trace_id if item.request else ""


def clicked(click: Request) -> None:
    """A person decided about rows; one line, however many they are."""
    with acting_for(click.trace_id), bound(account=click.account_id):
        refused = len(click.refused)
        extra = {"event": click.verb, "items": click.done}
        logger.info("%s: %s taken, %s refused", click.verb, click.done, refused, extra=extra)


@contextmanager
def handling(items: Sequence[Item]) -> Iterator[None]:
    """Lines of the block, an adapter's too, carry the click's id, if the items share one.

    Where they do not, or there are none, the present id stays: that of the request of an ERP that
    asks, for one.
    """
    traces = {trace_of(item) for item in items}
    named = {"item": str(items[0].public_id), "attempt": items[0].fence} if len(items) == 1 else {}
    with acting_for(traces.pop() if len(traces) == 1 else ""), bound(**named):
        yield


def claimed(claims: Sequence[Claim]) -> None:
    """Items were given to this worker."""
    for one in claims:
        _say(one.item, "claim", "claimed as attempt %s", one.item.fence)


def handed(item: Item) -> None:
    """The ERP asked, and was given the command to carry out."""
    _say(item, "hand_over", "handed over as attempt %s when the ERP asked", item.fence)


def reported(item: Item) -> None:
    """The ERP said, asked or of its own accord, what became of what it was given."""
    _say(item, "report", "the ERP reported on attempt %s", item.fence)


def polled(claims: Sequence[Claim], outcomes: Sequence[Outcome]) -> None:
    """The ERP was asked what became of what it has taken."""
    for one, outcome in zip(claims, outcomes, strict=True):
        words = "not yet" if outcome.handle else "done" if outcome.error is None else "failed"
        _say(one.item, "poll", "the ERP was asked about it: %s", words, outcome=words)


def called(claims: Sequence[Claim], *, began: float) -> None:
    """The ERP was handed commands; ``began`` is ``uptime()`` before that."""
    took = _since(began)
    for one in claims:
        _say(one.item, "call", "handed to the ERP, answered in %s s", took, duration=took)


def settled(claims: Sequence[Claim]) -> None:
    """Attempts are over."""
    for one in claims:
        attempt, took = one.attempt, _since(one.began)
        error = f" ({attempt.error_class})" if attempt.error_class else ""
        _say(
            one.item,
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
    """The worker that held the items is gone."""
    for item in items:
        _say(item, "lose", "its worker did not come back in time", outcome="lost")


def looked_up(item: Item, found: Found | Ambiguous | None) -> None:
    """The ERP was asked what became of an item."""
    words = "nothing" if found is None else "one" if isinstance(found, Found) else "several"
    _say(item, "look_up", "look %s into the ERP found %s", item.looks, words, outcome=words)


def _since(began: float) -> float:
    return round(uptime() - began, 3)


def _say(item: Item, event: str, words: str, *values: object, **more: Any) -> None:
    if not logger.isEnabledFor(logging.INFO):
        return
    extra = {
        "event": event,
        "account": item.account_id,
        "connection": item.connection_id,
        "item": str(item.public_id),
        "attempt": item.fence,
        **more,
    }
    with acting_for(trace_of(item)):
        logger.info(f"item %s: {words}", item.public_id, *values, extra=extra)  # noqa: G004

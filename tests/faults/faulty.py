"""How the campaign's processes differ from the product's: in a hurry, mortal, and maybe unsafe.

The product has no switches for this; its functions are wrapped from outside. ``FAULT_POINT`` names
the place where a process dies, ``FAULT_CHANCE`` how often, ``FAULT_LEFT`` a folder with one file
per death that is still allowed, ``FAULT_WITHOUT`` a safeguard to be taken away, ``FAULT_DEADLINE``
the seconds of a call, and ``FAULT_BATCH`` how many items go at once.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.trouble import take_trouble

DEATH = "death"
BATCH = "5"
# Seconds in which a call to Tryton begins with its commands.
TIME_TO_BEGIN = 3.0
LONGEST_WAIT = 4.0
TICK = 2.0


def hasten() -> None:
    """Short waits, so that what hangs on them need not be waited for; in every process."""
    from erp_integrations import breaker, connections, export_files, pacing
    from erp_integrations.adapters.simulator import adapter as simulator
    from erp_integrations.adapters.tryton import adapter as tryton
    from erpbridge import ticker

    declared = connections.manifest_of
    seconds = float(os.environ["FAULT_DEADLINE"])

    def hastened(connection: Any) -> Any:
        found = declared(connection)
        most = int(os.environ.get("FAULT_BATCH", BATCH))
        entities = {name: replace(one, batch=most) for name, one in found.entities.items()}
        short = {"call_deadline": seconds, "settles_within": 1.0, "silent_after": seconds + 1}
        return replace(found, entities=entities, **short)

    connections.manifest_of = hastened
    # An adapter keeps the deadline that its manifest declares.
    tryton.CALL_DEADLINE, tryton.TIME_FOR_ONE = seconds, seconds - TIME_TO_BEGIN - 1
    simulator.TIME_TO_START = seconds / 2
    pacing.LONGEST_WAIT = LONGEST_WAIT
    pacing.BREAKER_FIRST_WAIT = breaker.THROTTLE_WAIT = LONGEST_WAIT / 2
    export_files.MOST_ITEMS = int(BATCH)
    ordinary = ticker.Ticker
    ticker.Ticker = lambda _seconds: ordinary(TICK)


def die_by_chance() -> None:
    """SIGKILL to this very process, as long as there are deaths left to die."""
    if random.random() <= float(os.environ.get("FAULT_CHANCE", "0")) and take_trouble(
        Path(os.environ["FAULT_LEFT"]), DEATH
    ):
        os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """``function``, at whose begin or end the process may die."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            die_by_chance()
        result = function(*args, **kwargs)
        if not before and result:
            die_by_chance()
        return result

    return wrapped


def freezing(settle: Callable[..., Any]) -> Callable[..., Any]:
    """``settle``, before which a process freezes that was told by the ERP to slow down."""
    from erp_integrations.adapters.base import ErrorClass

    def wrapped(connection: Any, manifest: Any, answers: Any) -> None:
        errors = [outcome.error for _claim, outcome in answers]
        if any(one is not None and one.cls == ErrorClass.THROTTLED for one in errors):
            os.kill(os.getpid(), signal.SIGSTOP)
        settle(connection, manifest, answers)

    return wrapped


def place(point: str, *, fetches: bool) -> None:
    """Make this process die at ``point``.

    :param fetches: it carries the commands out itself, as an ERP that asks for them.
    """
    from erp_integrations import engine, export_files, inbound
    from erp_integrations.adapters.simulator.ledger import Ledger
    from erp_integrations.guard import Guarded

    if point in ("before_lease", "after_lease"):
        mortal = dying(engine.claim, before=point == "before_lease")
        engine.claim = inbound.claim = export_files.claim = mortal
    elif point == "after_applied":
        kind, name = (Ledger, "post") if fetches else (Guarded, "submit")
        setattr(kind, name, dying(getattr(kind, name), before=False))
    elif point == "before_settle":
        engine.settle = dying(engine.settle, before=True)
    elif point == "refused":
        engine.settle = freezing(engine.settle)


def take_away(safeguard: str) -> None:
    """Switch one safeguard off, to see that the campaign notices."""
    from erp_integrations import approval, claiming, engine, identity, recovery, unlinking
    from erp_integrations.adapters.tryton.accounts import Accounts
    from erp_integrations.models import Item

    if safeguard == "fence":
        engine._held = lambda claims: Item.objects.filter(pk__in=[one.item.pk for one in claims])
        engine._too_late = lambda since: False
    elif safeguard == "look":
        engine._first_look = lambda adapter, manifest, one: None
        recovery._resolve = lambda connection, adapter, manifest, item: (
            recovery._not_there(item, settled=True) or True
        )
        # The adapter looks once more by itself.
        Accounts._refuse_taken = lambda self, code: None
    elif safeguard == "identity":
        identity._against = lambda connection, new, books: {}
    elif safeguard == "parent":
        unlinking.kept_by_children = lambda kind, going: {}
        claiming.parents_missing = lambda held, entity, parents: []
    elif safeguard == "key":
        approval.Checks._flying = lambda self, keys: {}


def drop_key_exclusion() -> None:
    """The other half of taking "key" away: the constraint, in the campaign's own database."""
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("DROP INDEX one_key_in_air")

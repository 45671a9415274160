"""How the campaign's processes differ from the product's: short waits, faults, less safeguards.

The product has no switches for this; its functions are wrapped from outside. ``FAULT_POINT`` names
the place where a process dies or loses its database, ``FAULT_CHANCE`` is the probability,
``FAULT_LEFT`` a folder with one file per fault that may still strike, ``FAULT_STALL`` the stage of
a call that stalls, ``FAULT_WITHOUT`` a safeguard to be removed, ``FAULT_DEADLINE`` the seconds of
a call, and ``FAULT_BATCH`` the number of items in a batch.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.campaign.trouble import make_trouble, take_trouble

DEATH = "death"
DISK, NO_ROOM = "disk-is-full", "no-room"
BATCH = "5"
# Seconds in which a call to Tryton begins with its commands.
TIME_TO_BEGIN = 3.0
LONGEST_WAIT = 4.0
TICK = 2.0


def hasten() -> None:
    """Short waits in every process, so that the campaign does not have to wait for long ones."""
    from erp_integrations.adapters.base import Batches
    from erp_integrations.adapters.simulator import adapter as simulator
    from erp_integrations.adapters.tryton import adapter as tryton
    from erp_integrations.connections import adapter_loading
    from erp_integrations.export import backoff, circuit_breaker
    from erp_integrations.export.delivery import file as file_delivery
    from erpbridge.processes import ticker

    declared = adapter_loading.manifest_of
    seconds = float(os.environ["FAULT_DEADLINE"])

    def hastened(connection: Any) -> Any:
        manifest = declared(connection)
        most = int(os.environ.get("FAULT_BATCH", BATCH))
        entities = {
            name: replace(entity_manifest, batches=Batches(create=most, update=most, find=most))
            for name, entity_manifest in manifest.entities.items()
        }
        # Tryton declares one; here the workers have to keep out of each other's way.
        short = {
            "concurrency": 4,
            "call_deadline": seconds,
            "settles_within": 1.0,
            "silent_after": seconds + 1,
        }
        return replace(manifest, entities=entities, **short)

    adapter_loading.manifest_of = hastened
    # An adapter keeps the deadline that its manifest declares.
    tryton.CALL_DEADLINE, tryton.TIME_FOR_ONE = seconds, seconds - TIME_TO_BEGIN - 1
    simulator.TIME_TO_START = seconds / 2
    backoff.LONGEST_WAIT = LONGEST_WAIT
    circuit_breaker.BREAKER_FIRST_WAIT = circuit_breaker.THROTTLE_WAIT = LONGEST_WAIT / 2
    file_delivery.MOST_ITEMS = int(BATCH)
    ordinary = ticker.Ticker
    ticker.Ticker = lambda _seconds: ordinary(TICK)


def struck_by_chance() -> bool:
    """Whether the fault strikes now, as long as there are some left."""
    by_chance = random.random() <= float(os.environ["FAULT_CHANCE"])
    return by_chance and take_trouble(Path(os.environ["FAULT_LEFT"]), DEATH)


def die_by_chance() -> None:
    """SIGKILL to this process."""
    if struck_by_chance():
        os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """``function``, before or after which the process may die."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            die_by_chance()
        result = function(*args, **kwargs)
        if not before and result:
            die_by_chance()
        return result

    return wrapped


def freezing(settle: Callable[..., Any]) -> Callable[..., Any]:
    """``settle``, before which the process freezes if the ERP has told it to slow down."""
    from erp_integrations.adapters.base import ErrorClass

    def wrapped(connection: Any, manifest: Any, answers: Any) -> None:
        errors = [outcome.error for _claim, outcome in answers]
        if any(error is not None and error.cls == ErrorClass.THROTTLED for error in errors):
            os.kill(os.getpid(), signal.SIGSTOP)
        settle(connection, manifest, answers)

    return wrapped


def cutting(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, before which the database may end the connection of this process."""
    from django.db import OperationalError
    from django.db import connection as database

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if struck_by_chance():
            with suppress(OperationalError), database.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return function(*args, **kwargs)

    return wrapped


def run_out_of_room() -> None:
    """While the campaign has set it, no page is added to SQLite's file, as on a full disk."""
    from django.db import OperationalError
    from django.db.backends.signals import connection_created

    trouble = Path(os.environ["FAULT_TROUBLE"])

    def write(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        most = 1 if (trouble / DISK).exists() else 2**30
        context["connection"].connection.execute(f"PRAGMA max_page_count = {most}")
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if "full" in str(error):
                (trouble / NO_ROOM).touch()
            raise

    def opened(connection: Any, **_signal: Any) -> None:
        connection.execute_wrappers.append(write)

    connection_created.connect(opened, weak=False)


def place(point: str, *, fetches: bool) -> None:
    """Make this process die at ``point``.

    :param fetches: the process carries the commands out itself, as an ERP that asks for them.
    """
    from erp_integrations.adapters.simulator.ledger import Ledger
    from erp_integrations.connections.safe_adapter import Guarded
    from erp_integrations.export import claim as export_claim
    from erp_integrations.export import engine
    from erp_integrations.export import settle as export_settle
    from erp_integrations.export.delivery import file as file_delivery
    from erp_integrations.export.delivery import polled

    if point in ("before_lease", "after_lease"):
        mortal = dying(engine.claim, before=point == "before_lease")
        engine.claim = polled.claim = file_delivery.claim = mortal
    elif point == "after_applied":
        kind, name = (Ledger, "post") if fetches else (Guarded, "submit")
        setattr(kind, name, dying(getattr(kind, name), before=False))
    elif point == "before_settle":
        export_settle.settle = dying(export_settle.settle, before=True)
    elif point == "lost_in_claim":
        export_claim._claims = cutting(export_claim._claims)
    elif point == "lost_before_settle":
        export_settle.settle = cutting(export_settle.settle)
    elif point == "lost_in_settle":
        export_settle._close_attempts = cutting(export_settle._close_attempts)
    elif point == "refused":
        export_settle.settle = freezing(export_settle.settle)


# Trouble: the one worker whose calls stall; the calls that may stall; and a call that stalls now.
STALLER, STALLED, STALLING = "staller", "stall", "stalling"
# Addresses of a host that accept no connection; each is tried for five seconds.
SILENT = tuple(f"127.0.0.{number}" for number in range(2, 9))


def stall(stage: str) -> None:
    """Let some writes to the ERP stall for longer than a claim holds.

    :param stage: ``names`` are resolved late, or ``connections`` are tried with silent addresses.
    """
    from erpbridge.outgoing import client

    call, resolved = client.call, socket.getaddrinfo
    folder = Path(os.environ["FAULT_TROUBLE"])
    staller: list[bool] = []
    stalling: list[str] = []

    def writing(method: str, url: str, **options: Any) -> Any:
        if method == "POST" and not staller and take_trouble(folder, STALLER):
            staller.append(True)
        if method != "POST" or not staller or not take_trouble(folder, STALLED):
            return call(method, url, **options)
        make_trouble(folder, STALLING, 1)
        stalling.append(stage)
        try:
            return call(method, url, **options)
        finally:
            take_trouble(folder, STALLING)

    def slowly(host: str, port: Any, *arguments: Any, **options: Any) -> Any:
        addresses = resolved(host, port, *arguments, **options)
        if not stalling:
            return addresses
        if stalling.pop() == "names":
            time.sleep(float(os.environ["FAULT_STALL_SECONDS"]))
            return addresses
        return [
            address
            for silent in SILENT
            for address in resolved(silent, port, *arguments, **options)
        ] + addresses

    if stage:
        client.call, socket.getaddrinfo = writing, slowly


def take_away(safeguard: str) -> None:
    """Switch one safeguard off, to see that the campaign notices."""
    from django.db.models.functions import Now

    from erp_integrations.adapters.tryton.accounts import Accounts
    from erp_integrations.export import claim as export_claim
    from erp_integrations.export import engine, uncertain_lookup
    from erp_integrations.export import settle as export_settle
    from erp_integrations.models import Item
    from erp_integrations.workflow.accept import services as accept_services
    from erp_integrations.workflow.links import connection_identity
    from erp_integrations.workflow.links import unlink as unlink_services
    from erpbridge.clock import measured
    from erpbridge.outgoing import client, names

    if safeguard == "clock":
        measured.STEP = 0.0
        measured.Hand.push = lambda self: None
        measured.Reading.as_sql = lambda self, compiler, connection, **more: compiler.compile(Now())
    elif safeguard == "fence":
        export_settle._still_claimed = lambda claims: Item.objects.filter(
            pk__in=[claim.item.pk for claim in claims]
        )
        engine._too_late = lambda since: False
    elif safeguard == "look":
        engine._first_looks = lambda manifest, claims, since, adapter: [None] * len(claims)
        uncertain_lookup._resolve = lambda connection, adapter, manifest, item: (
            uncertain_lookup._not_there(item, settled=True) or True
        )
        # The adapter also looks once more itself.
        Accounts._refuse_taken = lambda self, code: None
    elif safeguard == "identity":
        connection_identity._against = lambda connection, new, books: {}
    elif safeguard == "parent":
        unlink_services.kept_by_children = lambda kind, ids: {}
        export_claim.parents_missing = lambda manifest, parents, links: []
    elif safeguard == "deadline":
        client._Call.left = lambda self: 60.0
        client._Call.late = property(lambda self: False)
        client._Call._cut = lambda self: None
        names.resolve = lambda host, port, seconds: socket.getaddrinfo(
            host, port, 0, socket.SOCK_STREAM
        )
    elif safeguard == "key":
        accept_services.Checks._exporting = lambda self, keys: {}


def drop_key_exclusion() -> None:
    """The other half of removing "key": the constraint, in the campaign's own database."""
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("DROP INDEX one_key_in_air")

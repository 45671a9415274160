"""``python -m tests.faults``: the campaign and its table; ``--help`` tells the options.

Without options: every fault, then the controls, which take one safeguard away at a time and must
be noticed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

from tests.faults.campaign.controls import CONTROLS, SAFEGUARDS

LEASE_MARGIN = 8
DEADLINE = 12
DELIVERIES = ("sync", "queued", "polled", "file")
CONTROL_ITEMS = 6
CONTROL_TRIES = 3
# Seconds in which all items have to be settled.
PATIENCE = 300
CONTROL_PATIENCE = 45


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few kinds, and no controls")
    parser.add_argument("--controls", action="store_true", help="only the controls")
    parser.add_argument("--items", type=int, default=300, help="items of each run")
    parser.add_argument(
        "--only", default=[], nargs="+", metavar="WORDS", help="kinds with these in their name"
    )
    parser.add_argument("--erp", choices=["tryton", "simulator"], default="tryton")
    parser.add_argument(
        "--delivery", choices=DELIVERIES, nargs="+", default=["sync"], help="with the simulator"
    )
    parser.add_argument(
        "--database",
        choices=["postgresql", "sqlite"],
        default="postgresql",
        help="sqlite: one process with everything in it",
    )
    parser.add_argument(
        "--records", choices=["codes", "companies"], help="codes, which Tryton does not keep unique"
    )
    parser.add_argument(
        "--without",
        choices=SAFEGUARDS,
        help="take a safeguard away for all kinds",
    )
    options = parser.parse_args()
    if options.erp == "tryton" and options.delivery != ["sync"]:
        parser.error("Tryton is called at once; other deliveries are the simulator's.")
    if options.erp == "simulator" and (options.records == "codes" or options.controls):
        parser.error("The simulator keeps companies only, under a unique key.")
    if options.database == "sqlite" and (options.delivery != ["sync"] or options.controls):
        parser.error("SQLite is for one process, which delivers at once, and takes no controls.")
    options.records = options.records or ("codes" if options.erp == "tryton" else "companies")
    return options


def main() -> int:
    """Return 0 if nothing was lost, doubled or stuck, and every control was noticed."""
    options = arguments()
    # So that ending the campaign also ends the processes that it has started.
    signal.signal(signal.SIGTERM, lambda *_caught: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="erpbridge-torture-") as folder:
        Path(folder).chmod(0o777)
        os.environ.update(
            DJANGO_SETTINGS_MODULE="erpbridge.settings",
            ERPBRIDGE_DATA_DIR=f"{folder}/var",
            ERPBRIDGE_LEASE_MARGIN=str(LEASE_MARGIN),
            ERPBRIDGE_LOG_LEVEL="ERROR",
            FAULT_DEADLINE=str(DEADLINE),
            FAULT_TROUBLE=f"{folder}/trouble",
        )
        return campaign(Path(folder), options)


def campaign(folder: Path, options: argparse.Namespace) -> int:
    """Servers, then one run after the other."""
    from tests.faults.campaign.servers import NoServers, Servers

    servers = NoServers(folder) if options.database == "sqlite" else Servers(folder)
    os.environ.update(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
    try:
        servers.start()
        django.setup()
        from django.core.management import call_command

        from tests.faults.campaign.faulty import hasten

        call_command("migrate", verbosity=0)
        hasten()
        with erps(options.erp, folder) as fresh_erp:
            verdicts = [] if options.controls else [kinds(options, fresh_erp, servers)]
            with_controls = not (options.short or options.only or options.erp == "simulator")
            if options.controls or (with_controls and options.database == "postgresql"):
                verdicts.append(controls(options, fresh_erp, servers))
        return 0 if verdicts and all(verdicts) else 1
    finally:
        servers.stop()


def kinds(options: argparse.Namespace, fresh_erp: Callable[..., Any], servers: Any) -> bool:
    """Run every requested kind, in every delivery."""
    from tests.faults.campaign.machine import ALL
    from tests.faults.campaign.table import HEAD

    kinds_to_run = [
        kind
        for kind in ALL
        if (kind.short or not options.short)
        and (not options.only or any(words in kind.name for words in options.only))
    ]
    rows = []
    for delivery in options.delivery:
        print(f"{options.records} into {options.erp}, delivery {delivery}\n{HEAD}", flush=True)
        for kind in kinds_to_run:
            erp = fresh_erp(delivery)
            if reason := kind.left_out(erp, options.records, options.database):
                print(f"{kind.name:<42}  left out: {reason}", flush=True)
                continue
            another = fresh_erp(delivery) if kind.another else None
            rows.append(
                run(kind, erp, servers, options, without=options.without or "", another=another)
            )
            print(rows[-1], flush=True)
    return bool(rows) and all(row.ok for row in rows)


def controls(options: argparse.Namespace, fresh_erp: Callable[..., Any], servers: Any) -> bool:
    """Without a safeguard its fault has to do harm; otherwise the campaign proves nothing."""
    from tests.faults.campaign.machine import ALL
    from tests.faults.campaign.table import HEAD

    options = argparse.Namespace(**{**vars(options), "items": min(options.items, CONTROL_ITEMS)})
    noticed: list[bool] = []

    def does_harm(kind: Any, safeguard: str) -> bool:
        another = fresh_erp("sync") if kind.another else None
        row = run(kind, fresh_erp("sync"), servers, options, without=safeguard, another=another)
        print(row, flush=True)
        return bool(row.lost or row.doubled or row.misplaced or (row.stuck and kind.moves_clock))

    print(f"controls: one safeguard taken away at a time\n{HEAD}", flush=True)
    for safeguard, name in CONTROLS:
        if options.only and not any(words in name for words in options.only):
            continue
        kind = next(kind for kind in ALL if kind.name == name)
        # Whether a fault does harm depends on timing, more so on a busy machine.
        noticed.append(any(does_harm(kind, safeguard) for _try in range(CONTROL_TRIES)))
        verdict = "noticed" if noticed[-1] else "NOT NOTICED"
        print(f"  without {safeguard}: {verdict}", flush=True)
    return all(noticed)


@contextmanager
def erps(name: str, folder: Path) -> Iterator[Callable[[str], Any]]:
    """Makes an empty ERP for each run."""
    from erp_integrations.adapters.base import Delivery
    from tests import tryton
    from tests.faults.campaign.erps import Simulator, Tryton
    from tests.tryton_proxy import proxy

    if name == "simulator":
        yield lambda delivery: Simulator(Delivery(delivery), folder / "trouble")
        return
    numbers = itertools.count(1)
    with tryton.serving(folder / "tryton") as server, ExitStack() as proxies:

        def fresh(_delivery: str) -> Tryton:
            erp = server.erp(f"run{next(numbers)}")
            place = urlsplit(erp.url)
            upstream = (str(place.hostname), int(place.port or 0))
            address, faults = proxies.enter_context(proxy(upstream))
            return Tryton(erp, faults, f"{address}{place.path}", server)

        yield fresh


def run(
    kind: Any,
    erp: Any,
    servers: Any,
    options: argparse.Namespace,
    *,
    without: str,
    another: Any,
) -> Any:
    """One kind of fault: set up, break, wait, count."""
    from erp_integrations.connections import adapter_loading
    from erp_integrations.connections import services as connection_services
    from erp_integrations.export.claim import lease
    from erp_integrations.models import Ticker
    from tests.faults.campaign.faulty import drop_key_exclusion, take_away
    from tests.faults.campaign.records import records
    from tests.faults.campaign.scene import set_up, wait_until
    from tests.faults.campaign.staff import staff
    from tests.faults.campaign.table import count

    if without in ("identity", "parent", "key"):
        # In this process, since it accepts, configures and unlinks; these come last, as they stay.
        take_away(without)
    if without == "key":
        drop_key_exclusion()
    servers.let_clock_move(kind.moves_clock)
    # A run without the measured clock has left the tick an hour ahead of it.
    Ticker.objects.all().delete()
    record_kind = records(options.records, vendor_type=erp.vendor_type)
    scene = set_up(erp, record_kind, options.items, in_pairs=kind.pairs)
    scene.other = another
    servers.lease = lease(adapter_loading.manifest_of(scene.connection))
    began = time.monotonic()
    environment = {**kind.env, **servers.env, "FAULT_WITHOUT": without}
    with staff(scene, servers.roles, faketime=kind.faketime, **environment) as running:
        kind.happens(scene, running, servers)
        wait_until(lambda: not scene.left(), CONTROL_PATIENCE if without else PATIENCE)
    # Stuck items would occupy the workers of the next run.
    connection_services.pause(scene.connection, by=scene.person, reason="The run is over")
    row = count(kind, scene, running, seconds=time.monotonic() - began)
    if row.by_itself:
        print(running.last_words, file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.faults [--short] [--items N] [--only WORDS]``: the campaign and its table."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

LEASE_MARGIN = 8


@dataclass(frozen=True)
class Row:
    """What became of one run."""

    kind: str
    items: int
    synced: int
    waiting: int
    lost: int
    doubled: int
    stuck: int
    wrong: int
    deaths: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Nothing lost, doubled or stuck without a reason, nothing called failed that arrived."""
        return not (self.lost or self.doubled or self.stuck or self.wrong)

    def __str__(self) -> str:
        numbers = (
            self.items,
            self.synced,
            self.waiting,
            self.lost,
            self.doubled,
            self.stuck,
            self.wrong,
        )
        cells = "".join(f"{number:>9}" for number in (*numbers, self.deaths))
        return f"{self.kind:<42}{cells}{self.seconds:>9.1f}  {'ok' if self.ok else 'FAILED'}"


HEAD = f"{'fault':<42}" + "".join(
    f"{word:>9}"
    for word in (
        "items",
        "synced",
        "person",
        "lost",
        "doubled",
        "stuck",
        "wrong",
        "deaths",
        "seconds",
    )
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few kinds with few items")
    parser.add_argument("--items", type=int, default=300, help="items of each run")
    parser.add_argument("--only", default="", help="kinds with these words in their name")
    parser.add_argument("--erp", choices=["tryton", "simulator"], default="tryton")
    parser.add_argument("--without", default="", help="take a safeguard away: fence or look")
    return parser.parse_args()


def main() -> int:
    """0 where nothing was lost, doubled or stuck."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="erpbridge-torture-") as folder:
        Path(folder).chmod(0o777)
        os.environ.update(
            DJANGO_SETTINGS_MODULE="erpbridge.settings",
            ERPBRIDGE_DATA_DIR=f"{folder}/var",
            ERPBRIDGE_LEASE_MARGIN=str(LEASE_MARGIN),
            ERPBRIDGE_LOG_LEVEL="ERROR",
            FAULT_DEADLINE="5",
        )
        return campaign(Path(folder), asked)


def campaign(folder: Path, asked: argparse.Namespace) -> int:
    """Servers, then one run after the other."""
    from tests.faults.servers import Servers

    servers = Servers(folder)
    os.environ.update(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
    try:
        servers.start()
        django.setup()
        from django.core.management import call_command

        from tests.faults.kinds import KINDS
        from tests.faults.worker import hasten

        call_command("migrate", verbosity=0)
        hasten()
        print(HEAD, flush=True)
        rows = []
        with erps(asked.erp, folder) as fresh_erp:
            for kind in KINDS:
                if asked.only in kind.name and (kind.short or not asked.short):
                    rows.append(run(kind, fresh_erp(), servers, asked))
                    print(rows[-1], flush=True)
        return 0 if rows and all(row.ok for row in rows) else 1
    finally:
        servers.stop()


@contextmanager
def erps(name: str, folder: Path) -> Iterator[Callable[[], Any]]:
    """Makes an empty ERP for each run."""
    from tests import tryton
    from tests.faults.erps import Simulator, Tryton
    from tests.tryton_proxy import proxy

    if name == "simulator":
        yield Simulator
        return
    numbers = itertools.count(1)
    with tryton.serving(folder / "tryton") as server, ExitStack() as proxies:

        def fresh() -> Tryton:
            erp = server.erp(f"run{next(numbers)}")
            place = urlsplit(erp.url)
            upstream = (str(place.hostname), int(place.port or 0))
            address, faults = proxies.enter_context(proxy(upstream))
            return Tryton(erp, faults, f"{address}{place.path}")

        yield fresh


def run(kind: Any, erp: Any, servers: Any, asked: argparse.Namespace) -> Row:
    """One kind of fault: set up, break, wait, count."""
    from erp_integrations import connections
    from erp_integrations.claiming import lease
    from tests.faults.scene import set_up, wait_until_settled, workers

    scene = set_up(erp, asked.items)
    servers.lease = lease(connections.manifest_of(scene.connection))
    began = time.monotonic()
    without = {"FAULT_WITHOUT": asked.without} if asked.without else {}
    with workers(faketime=kind.faketime, **kind.env, **without) as running:
        kind.happens(scene, running, servers)
        wait_until_settled(scene, 240)
        deaths = running.deaths
    return count(kind.name, scene, deaths, time.monotonic() - began)


def count(name: str, scene: Any, deaths: int, seconds: float) -> Row:
    """Erpbridge's rows against the ERP's own books."""
    from erp_integrations.models import Item
    from erp_integrations.states import State

    items = Item.objects.filter(connection=scene.connection)
    copies = scene.erp.copies(scene.connection)
    synced = set(items.filter(state=State.SYNCED).values_list("erp_key", flat=True))
    told = items.filter(state__in=[State.FAILED, State.NEEDS_ANSWER]).exclude(error_text="")
    failed = items.filter(state=State.FAILED).values_list("erp_key", flat=True)
    waiting = set(told.values_list("erp_key", flat=True))
    return Row(
        kind=name,
        items=len(scene.keys),
        synced=len(synced),
        waiting=len(waiting),
        lost=len([key for key in synced if not copies[key]]) + (len(scene.keys) - items.count()),
        doubled=sum(number - 1 for number in copies.values() if number > 1),
        wrong=sum(1 for key in failed if copies[key]),
        stuck=len(scene.keys - synced - waiting),
        deaths=deaths,
        seconds=seconds,
    )


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.faults [--short] [--items N] [--only WORDS]``: the campaign and its table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    deaths: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing doubled, nothing stuck without a reason."""
        return not (self.lost or self.doubled or self.stuck)

    def __str__(self) -> str:
        numbers = (self.items, self.synced, self.waiting, self.lost, self.doubled, self.stuck)
        cells = "".join(f"{number:>9}" for number in (*numbers, self.deaths))
        return f"{self.kind:<42}{cells}{self.seconds:>9.1f}  {'ok' if self.ok else 'FAILED'}"


HEAD = f"{'fault':<42}" + "".join(
    f"{word:>9}"
    for word in ("items", "synced", "person", "lost", "doubled", "stuck", "deaths", "seconds")
)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few kinds with few items")
    parser.add_argument("--items", type=int, default=300, help="items of each run")
    parser.add_argument("--only", default="", help="kinds with these words in their name")
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

        call_command("migrate", verbosity=0)
        print(HEAD, flush=True)
        rows = []
        for kind in KINDS:
            if asked.only in kind.name and (kind.short or not asked.short):
                rows.append(run(kind, servers, asked))
                print(rows[-1], flush=True)
        return 0 if rows and all(row.ok for row in rows) else 1
    finally:
        servers.stop()


def run(kind: Any, servers: Any, asked: argparse.Namespace) -> Row:
    """One kind of fault: set up, break, wait, count."""
    from erp_integrations.claiming import lease
    from erp_integrations.connections import manifest_of
    from tests.faults.erps import Simulator
    from tests.faults.scene import set_up, wait_until_settled, workers

    scene = set_up(Simulator(), asked.items)
    servers.lease = lease(manifest_of(scene.connection))
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
    waiting = set(told.values_list("erp_key", flat=True))
    return Row(
        kind=name,
        items=len(scene.keys),
        synced=len(synced),
        waiting=len(waiting),
        lost=len([key for key in synced if not copies[key]]) + (len(scene.keys) - items.count()),
        doubled=sum(number - 1 for number in copies.values() if number > 1),
        stuck=len(scene.keys - synced - waiting),
        deaths=deaths,
        seconds=seconds,
    )


if __name__ == "__main__":
    sys.exit(main())

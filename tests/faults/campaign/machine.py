"""Faults of the machines themselves: clocks, signals, connections, disks, a restart."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from erp_integrations.models import Item
from erp_integrations.models.states import State
from tests import tryton
from tests.faults.campaign.erps import Tryton
from tests.faults.campaign.faulty import DISK, NO_ROOM
from tests.faults.campaign.kinds import (
    KINDS,
    NOT_BY_FILE,
    Happens,
    Kind,
    proxy_struck,
    somebody_died,
)
from tests.faults.campaign.scene import Scene, wait_for_progress, wait_until
from tests.faults.campaign.servers import Servers
from tests.faults.campaign.staff import Staff
from tests.tryton_proxy import Gate

HOUR = 3_600
# Seconds that a create hangs; shorter than a call to Tryton.
HANGING = 8.0
SHARES = (0.1, 0.4, 0.7)
# Seconds without room on the disk, and without an ERP.
OUTAGE = 6.0


def hang_creates(scene: Scene, seconds: float, calls: int) -> None:
    """Let the next creates hang before they reach the ERP; returns when the first one does."""
    faults = scene.erp.faults
    sending = Item.objects.filter(connection=scene.connection, state=State.SENDING)
    if faults is None:
        wait_until(sending.exists, 30)
        return
    faults.set("delay", seconds=seconds, calls=calls)
    wait_until(lambda: faults.struck or not scene.left(), 60)


def clock_jumps(seconds: int) -> Happens:
    """The database's clock is set while creates hang, or items wait, and stays so."""

    def happens(scene: Scene, _staff: Staff, servers: Servers) -> None:
        wait_for_progress(scene, SHARES[0])
        if seconds > 0:
            hang_creates(scene, HANGING, 2)
        else:
            # Some items then wait for a time that the clock reaches an hour later.
            put_off = Item.objects.filter(connection=scene.connection, not_before__isnull=False)
            scene.erp.misbehave(scene.connection, "down", 4)
            wait_until(put_off.exists, 60)
        servers.set_clock(seconds)

    return happens


def ends_by(*signals: signal.Signals) -> Happens:
    """All processes are told to end in the middle of a batch, while a create is being sent."""

    def happens(scene: Scene, staff: Staff, _servers: Servers) -> None:
        for share in SHARES:
            wait_for_progress(scene, share)
            hang_creates(scene, 3.0, 1)
            deaths = staff.deaths
            for number in signals:
                staff.signal(number)
                time.sleep(1)
            wait_until(lambda deaths=deaths: staff.deaths > deaths or not scene.left(), 60)

    return happens


def connection_died(_scene: Scene, staff: Staff) -> bool:
    """Whether the database ended a connection at that moment."""
    return staff.struck() > 0


@dataclass
class Crash(Gate):
    """Kills the ERP when the first create arrives: after its lookup, before it is carried out."""

    server: tryton.Server | None = None

    def hold(self, request: bytes) -> None:
        """Kill it once."""
        if request.startswith(b"POST") and not self.opened.is_set():
            self.opened.set()
            assert self.server is not None
            self.server.kill()


def erp_restarts(scene: Scene, _staff: Staff, _servers: Servers) -> None:
    """The ERP ends between the lookup and the create, and starts again after a while."""
    assert isinstance(scene.erp, Tryton)
    for share in SHARES[:2]:
        wait_for_progress(scene, share)
        crash = Crash(b"", 0.0, server=scene.erp.server)
        scene.erp.faults.gates = [crash]
        if wait_until(lambda crash=crash: crash.opened.is_set() or not scene.left(), 60):
            scene.erp.faults.gates = []
            time.sleep(OUTAGE / 2)
        if crash.opened.is_set():
            scene.erp.faults.struck += 1
            scene.erp.server.start()


def disk_is_full(scene: Scene, _staff: Staff, _servers: Servers) -> None:
    """The disk is full for a while."""
    full = Path(os.environ["FAULT_TROUBLE"]) / DISK
    for share in SHARES:
        wait_for_progress(scene, share)
        full.parent.mkdir(exist_ok=True)
        full.touch()
        time.sleep(OUTAGE)
        full.unlink()


def there_was_no_room(_scene: Scene, _staff: Staff) -> bool:
    """Whether something could not be written."""
    with suppress(FileNotFoundError):
        (Path(os.environ["FAULT_TROUBLE"]) / NO_ROOM).unlink()
        return True
    return False


def cut(point: str) -> dict[str, str]:
    """Workers whose connection to the database is ended at ``point``, up to five times in a run."""
    return {"FAULT_POINT": point, "FAULT_CHANCE": "0.5"}


MACHINE = (
    Kind(
        "database clock an hour ahead",
        clock_jumps(HOUR),
        moves_clock=True,
        happened=proxy_struck,
        apart=NOT_BY_FILE,
    ),
    Kind(
        "database clock an hour back",
        clock_jumps(-HOUR),
        moves_clock=True,
        happened=proxy_struck,
        apart=NOT_BY_FILE,
    ),
    Kind("SIGTERM in the middle of a batch", ends_by(signal.SIGTERM), happened=somebody_died),
    Kind("SIGTERM, then SIGKILL", ends_by(signal.SIGTERM, signal.SIGKILL), happened=somebody_died),
    Kind(
        "database connection lost in claim",
        env=cut("lost_in_claim"),
        happened=connection_died,
        only_on="postgresql",
    ),
    Kind(
        "database connection lost before settling",
        env=cut("lost_before_settle"),
        happened=connection_died,
        only_on="postgresql",
    ),
    Kind(
        "database connection lost in settling",
        env=cut("lost_in_settle"),
        happened=connection_died,
        only_on="postgresql",
    ),
    Kind("ERP restarts between look and create", erp_restarts, gates=True, happened=proxy_struck),
    Kind(
        "disk full",
        disk_is_full,
        happened=there_was_no_room,
        env={"FAULT_DISK": "1"},
        only_on="sqlite",
    ),
)
ALL = (*KINDS, *MACHINE)

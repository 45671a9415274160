"""The faults of the campaign, one per run, while items are being exported."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connections as databases

from erp_integrations.adapters.base import Delivery
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Attempt, Item, Worker
from erp_integrations.models.states import State
from erp_integrations.workflow.links.unlink import unlink
from tests.faults.campaign.erps import Erp
from tests.faults.campaign.faulty import SILENT, STALLED, STALLER, STALLING
from tests.faults.campaign.scene import Scene, wait_for_progress, wait_until
from tests.faults.campaign.servers import Servers
from tests.faults.campaign.staff import Staff
from tests.faults.campaign.trouble import make_trouble
from tests.outgoing.hosts import silent
from tests.tryton_proxy import Gate, response

Happens = Callable[[Scene, Staff, Servers], None]
SLOW_DOWN = response("429 Too Many Requests\r\nRetry-After: 1", b"")
CARRIED = "a person carries the file, and waits for no answer"
# How often a fault happens in one run.
ITEMS_PER_TAKEOVER = 40
TWINS_MET = 5
STALLS = 1
# Seconds in which everything that a stall delays has to be settled.
PATIENCE = 240
# Seconds; shorter than a call to Tryton.
MEETING = 6.0


def nothing(_scene: Scene, _staff: Staff, _servers: Servers) -> None:
    """No fault but those of the workers themselves."""


def flush_redis(scene: Scene, _staff: Staff, servers: Servers) -> None:
    """Every message is lost, again and again."""
    for share in (0.1, 0.3, 0.6):
        wait_for_progress(scene, share)
        servers.redis_client().flushall()


def stop_redis(scene: Scene, _staff: Staff, servers: Servers) -> None:
    """No broker for a while."""
    wait_for_progress(scene, 0.2)
    servers.stop_redis()
    time.sleep(5)
    servers.start_redis()


def restart_postgresql(scene: Scene, _staff: Staff, servers: Servers) -> None:
    """Every transaction in progress is lost."""
    wait_for_progress(scene, 0.2)
    servers.restart_postgresql()
    # This process has lost its connection like all others.
    databases.close_all()


def always(_scene: Scene, _staff: Staff) -> bool:
    """The fault always strikes."""
    return True


def somebody_died(_scene: Scene, staff: Staff) -> bool:
    """Whether a process was killed, or told to end, and started again."""
    return staff.deaths > 0


def proxy_struck(scene: Scene, _staff: Staff) -> bool:
    """Whether the proxy broke something; without a proxy the ERP always does."""
    return scene.erp.faults is None or scene.erp.faults.struck > 0


def somebody_was_late(scene: Scene, _staff: Staff) -> bool:
    """Whether an answer came after another worker had taken the item."""
    tries = Attempt.objects.filter(item__connection=scene.connection)
    return tries.filter(outcome=Attempt.Outcome.LATE).exists()


def somebody_was_refused(scene: Scene, _staff: Staff) -> bool:
    """Whether accounting was told that a key is taken."""
    return bool(scene.refused)


def misbehaving(kind: str, times: int) -> Happens:
    """The ERP fails in one way for some calls."""

    def happens(scene: Scene, _staff: Staff, _servers: Servers) -> None:
        scene.erp.misbehave(scene.connection, kind, times)

    return happens


def pause_past_the_lease(scene: Scene, staff: Staff, servers: Servers) -> None:
    """All processes freeze, the leases run out, and the processes continue."""
    wait_for_progress(scene, 0.1)
    staff.signal(signal.SIGSTOP)
    time.sleep(servers.lease + 2)
    staff.signal(signal.SIGCONT)


def every_message_thrice(scene: Scene, _staff: Staff, servers: Servers) -> None:
    """Wake-ups arrive again and again, for all workers."""
    while scene.left():
        for _ in range(3):
            servers.wake(scene.connection.pk)
        time.sleep(0.05)


def come_back_refused(scene: Scene, staff: Staff, servers: Servers) -> None:
    """A worker is told to slow down, and freezes before it can store that.

    Its lease runs out, another takes over; while that one's create is on its way the first comes
    back and says that nothing was sent. If that counted, a third create would be sent now.
    """
    for _ in range(1 + scene.count // ITEMS_PER_TAKEOVER):
        if scene.left():
            take_over(scene, staff, servers)


def take_over(scene: Scene, staff: Staff, servers: Servers) -> None:
    """Let one worker come back like this."""
    faults = scene.erp.faults
    assert faults is not None
    faults.set("answer", with_answer=SLOW_DOWN, calls=1)
    if not wait_until(lambda: staff.frozen() or not scene.left(), 60) or not scene.left():
        return
    (frozen,) = staff.frozen()
    gates = [Gate(f'"{key}"'.encode(), MEETING) for key in keys_claimed_by(scene, frozen.pid)]
    faults.gates = gates
    wait_until(lambda: any(gate.arrived for gate in gates), 60)
    faults.gates = [gate for gate in gates if gate.arrived]
    frozen.send_signal(signal.SIGCONT)
    # Any idle worker looks for work at once.
    wait_until(
        lambda: servers.wake(scene.connection.pk) or any(gate.opened.is_set() for gate in gates),
        MEETING,
    )
    faults.gates = []


def keys_claimed_by(scene: Scene, pid: int) -> list[str]:
    """The keys of the items that this process has claimed."""
    tries = {"tries__worker__endswith": f":{pid}", "tries__outcome": Attempt.Outcome.OPEN}
    items = Item.objects.filter(connection=scene.connection, state=State.SENDING, **tries)
    return sorted(items.values_list("erp_key", flat=True))


def twins_meet(scene: Scene, staff: Staff, _servers: Servers) -> None:
    """Two creates of one key reach the ERP together, if two were sent."""
    assert scene.erp.faults is not None
    met = scene.twins[:TWINS_MET]
    scene.erp.faults.gates = [Gate(f'"{key}"'.encode(), MEETING) for key in met]
    pids = [process.pid for process in staff.processes]
    wait_until(lambda: Worker.objects.filter(pid__in=pids).count() == len(pids), 60)
    connection_services.resume(scene.connection, by=scene.person)


def unlink_parents(scene: Scene, _staff: Staff, _servers: Servers) -> None:
    """A person unlinks the parents of items that are being exported, again and again."""
    children = Item.objects.filter(connection=scene.connection).exclude(parent_id=None)
    parents = scene.connection.links.active().filter(record_id__in=children.values("parent_id"))
    entity, by = scene.records.entity, scene.person
    while scene.left():
        ids = list(parents.values_list("record_id", flat=True))
        for pk in ids:
            unlink(scene.connection.account_id, entity, [pk], by=by, why="Torture")
        scene.unlinks += len(ids)
        time.sleep(0.05)


def somebody_unlinked(scene: Scene, _staff: Staff) -> bool:
    """Whether a person tried to unlink something."""
    return scene.unlinks > 0


def lead_elsewhere(scene: Scene, _staff: Staff, _servers: Servers) -> None:
    """An ERP administrator switches to another ERP, again and again, while it is unknown whether
    this one has some of the items.
    """
    assert scene.other is not None
    scene.erp.misbehave(scene.connection, "timeout_after", 4)
    unknown = Item.objects.filter(connection=scene.connection, state=State.UNCERTAIN)
    wait_until(unknown.exists, 60)
    while scene.left() and scene.turned_away_from(scene.other):
        time.sleep(0.05)


def was_turned_away(scene: Scene, _staff: Staff) -> bool:
    """Whether the administrator tried to switch."""
    return scene.asked_for_another > 0


def stall_writes(scene: Scene, _staff: Staff, servers: Servers) -> None:
    """A worker's call stalls until its claim is over and another worker has taken the item."""
    port = urlsplit(str(scene.erp.config["url"])).port or 0
    with ExitStack() as addresses:
        for address in SILENT:
            addresses.enter_context(silent(address, port))
        folder = Path(os.environ["FAULT_TROUBLE"])
        make_trouble(folder, STALLED, STALLS)
        make_trouble(folder, STALLER, 1)
        # The stalled call ends after all others.
        wait_until(lambda: not scene.left() and not pending(STALLING), PATIENCE)


def pending(trouble: str) -> bool:
    """Whether some of this trouble is left."""
    return bool(list(Path(os.environ["FAULT_TROUBLE"]).glob(f"{trouble}.*")))


def somebody_stalled(_scene: Scene, _staff: Staff) -> bool:
    """Whether a call of a worker stalled."""
    return not pending(STALLER)


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    :param pairs: two records for each ERP key.
    :param moves_clock: needs a database whose clock can be set.
    :param gates: needs the proxy in front of Tryton.
    :param tree: needs records with parents.
    :param another: there is a second ERP, whose records count too.
    :param apart: deliveries in which it makes no sense, and why.
    :param only_on: the one database that can have this fault; empty if both can.
    :param happened: whether the fault struck; a run without it proves nothing.
    """

    name: str
    happens: Happens = nothing
    env: Mapping[str, str] = field(default_factory=dict)
    faketime: str = ""
    short: bool = False
    pairs: bool = False
    gates: bool = False
    moves_clock: bool = False
    tree: bool = False
    another: bool = False
    apart: Mapping[Delivery, str] = field(default_factory=dict)
    only_on: str = ""
    happened: Callable[[Scene, Staff], bool] = always

    @property
    def kills(self) -> bool:
        """Whether processes are meant to end."""
        return self.happened is somebody_died

    def left_out(self, erp: Erp, records: str, database: str) -> str:
        """Why it is not run on this ERP with these records; empty if it is."""
        if self.only_on not in ("", database):
            return ONLY_ON[self.only_on]
        if self.tree and records != "codes":
            return f"no {records} are under others"
        if self.gates and erp.faults is None:
            return "takes the proxy before Tryton"
        return self.apart.get(erp.delivery, "")


def stalled(stage: str) -> dict[str, str]:
    """Workers whose calls to the ERP stall longer than a claim and the lookup after it take."""
    return {"FAULT_STALL": stage, "FAULT_STALL_SECONDS": "32"}


def killed(point: str) -> dict[str, str]:
    """Workers that die at ``point``, up to five times in a run."""
    return {"FAULT_POINT": point, "FAULT_CHANCE": "0.8"}


NOT_BY_FILE = {Delivery.FILE: CARRIED}
NOT_FETCHED = {**NOT_BY_FILE, Delivery.POLLED: "the ERP asks when it wants to"}
NO_LEASE = {Delivery.FILE: "what is in a file has no lease"}
ONLY_ON = {
    "postgresql": "takes PostgreSQL, Redis or more than one process",
    "sqlite": "a file of SQLite's is full, a server tells",
}

KINDS = (
    Kind("worker killed before the lease", env=killed("before_lease"), happened=somebody_died),
    Kind("worker killed after the lease", env=killed("after_lease"), happened=somebody_died),
    Kind(
        "worker killed after the ERP applied",
        env=killed("after_applied"),
        happened=somebody_died,
        short=True,
    ),
    Kind("worker killed before settling", env=killed("before_settle"), happened=somebody_died),
    Kind("Redis flushed", flush_redis, only_on="postgresql", short=True),
    Kind("Redis stopped for a while", stop_redis, only_on="postgresql"),
    Kind("PostgreSQL restarted", restart_postgresql, only_on="postgresql"),
    Kind("ERP down", misbehaving("down", 6), happened=proxy_struck, apart=NOT_BY_FILE),
    Kind("ERP slow", misbehaving("slow", 6), happened=proxy_struck, apart=NOT_BY_FILE),
    Kind("ERP throttles", misbehaving("throttle", 6), happened=proxy_struck, apart=NOT_FETCHED),
    Kind("ERP answers garbage", misbehaving("garbage", 4), happened=proxy_struck),
    Kind(
        "ERP loses its answer", misbehaving("timeout_after", 4), happened=proxy_struck, short=True
    ),
    Kind(
        "ERP silent before applying",
        misbehaving("timeout_before", 4),
        happened=proxy_struck,
        apart=NOT_BY_FILE,
    ),
    Kind("clock of a worker an hour ahead", faketime="+1h"),
    Kind("every message delivered again and again", every_message_thrice, only_on="postgresql"),
    Kind("workers paused past their lease", pause_past_the_lease, apart=NO_LEASE),
    Kind(
        "slow name resolution",
        stall_writes,
        env=stalled("names"),
        happened=somebody_stalled,
        gates=True,
    ),
    Kind(
        "stalled connect",
        stall_writes,
        env=stalled("connections"),
        happened=somebody_stalled,
        gates=True,
    ),
    Kind(
        "worker back after its lease, refused",
        come_back_refused,
        env={"FAULT_POINT": "refused"},
        happened=somebody_was_late,
        only_on="postgresql",
        gates=True,
        short=True,
    ),
    Kind(
        "led to another ERP with items open",
        lead_elsewhere,
        another=True,
        apart=NOT_BY_FILE,
        happened=was_turned_away,
        short=True,
    ),
    Kind(
        "one ERP key accepted twice at once",
        twins_meet,
        env={"FAULT_BATCH": "1"},
        happened=somebody_was_refused,
        only_on="postgresql",
        pairs=True,
        gates=True,
        short=True,
    ),
    Kind(
        "parents unlinked while children wait",
        unlink_parents,
        env={"FAULT_BATCH": "1"},
        happened=somebody_unlinked,
        tree=True,
        short=True,
    ),
)

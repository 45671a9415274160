"""What goes wrong in each run of the campaign, while items are on their way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.db import connections as databases

from tests.faults.scene import Scene, Workers, wait_for_progress
from tests.faults.servers import Servers

Happens = Callable[[Scene, Workers, Servers], None]


def nothing(_scene: Scene, _workers: Workers, _servers: Servers) -> None:
    """Only what the workers do to themselves."""


def flush_redis(scene: Scene, _workers: Workers, servers: Servers) -> None:
    """Every message is lost, again and again."""
    for share in (0.1, 0.3, 0.6):
        wait_for_progress(scene, share)
        servers.redis_client().flushall()


def stop_redis(scene: Scene, _workers: Workers, servers: Servers) -> None:
    """No broker for a while."""
    wait_for_progress(scene, 0.2)
    servers.stop_redis()
    time.sleep(5)
    servers.start_redis()


def restart_postgresql(scene: Scene, _workers: Workers, servers: Servers) -> None:
    """Every transaction in progress is lost."""
    wait_for_progress(scene, 0.2)
    servers.restart_postgresql()
    # This process had a connection of its own, which is gone like all others.
    databases.close_all()


def misbehaving(kind: str, times: int) -> Happens:
    """The ERP fails in one way for some calls."""

    def happens(scene: Scene, _workers: Workers, _servers: Servers) -> None:
        scene.erp.misbehave(scene.connection, kind, times)

    return happens


def pause_past_the_lease(scene: Scene, workers: Workers, servers: Servers) -> None:
    """Both workers freeze, their leases run out, and they go on as if nothing had been."""
    wait_for_progress(scene, 0.1)
    workers.signal(signal.SIGSTOP)
    time.sleep(servers.lease + 2)
    workers.signal(signal.SIGCONT)


def every_message_thrice(scene: Scene, _workers: Workers, servers: Servers) -> None:
    """Wake-ups arrive again and again, for everybody."""
    while scene.left() and servers.redis_client().ping():
        for _ in range(3):
            servers.wake(scene.connection.pk)
        time.sleep(0.05)


@dataclass(frozen=True)
class Kind:
    """One row of the table."""

    name: str
    happens: Happens = nothing
    env: Mapping[str, str] = field(default_factory=dict)
    faketime: str = ""
    short: bool = False


def killed(point: str) -> dict[str, str]:
    """Workers that die at ``point``, up to five times in a run."""
    return {"FAULT_POINT": point, "FAULT_CHANCE": "0.4"}


KINDS = (
    Kind("worker killed before the lease", env=killed("before_lease")),
    Kind("worker killed after the lease", env=killed("after_lease")),
    Kind("worker killed after the ERP applied", env=killed("after_applied"), short=True),
    Kind("worker killed before settling", env=killed("before_settle")),
    Kind("Redis flushed", flush_redis, short=True),
    Kind("Redis stopped for a while", stop_redis),
    Kind("PostgreSQL restarted", restart_postgresql),
    Kind("ERP down", misbehaving("down", 6)),
    Kind("ERP slow", misbehaving("slow", 6)),
    Kind("ERP throttles", misbehaving("throttle", 6)),
    Kind("ERP answers garbage", misbehaving("garbage", 4)),
    Kind("ERP loses its answer", misbehaving("timeout_after", 4), short=True),
    Kind("ERP silent before applying", misbehaving("timeout_before", 4)),
    Kind("clock of a worker an hour ahead", faketime="+1h"),
    Kind("every message delivered again and again", every_message_thrice),
    Kind("workers paused past their lease", pause_past_the_lease),
)

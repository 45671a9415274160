"""The campaign's own PostgreSQL and Redis, which can be stopped in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import redis
from django.db import connections as databases

from erp_integrations.adapters.base import Delivery
from erp_integrations.connections import wakeups
from tests.servers import create_database, free_port, postgresql_programs, unprivileged, until_up

# Else no compiled module fits its source any more, and each is compiled anew.
FILES_KEEP_THEIR_TIMES = {"NO_FAKE_STAT": "1"}


def set_clock(folder: Path, seconds: int) -> None:
    """What the programs of ``moved_clock`` take for the time, from a second from now."""
    clock = folder / "clock"
    clock.write_text(f"{seconds:+d}")
    # PostgreSQL runs as somebody else, and the umask may keep it from reading this.
    clock.chmod(0o644)


def moved_clock(folder: Path) -> dict[str, str]:
    """The environment of a program whose wall clock can be set while it runs."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else threads of Python do not wait for each other, and one process takes 30 times as long.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        **FILES_KEEP_THEIR_TIMES,
    }


# Who it takes; the first is the one whose clock is wrong.
ROLES: Mapping[Delivery, Sequence[str]] = {
    Delivery.SYNC: ("worker", "worker"),
    Delivery.QUEUED: ("worker", "worker"),
    Delivery.POLLED: ("web", "agent", "agent", "worker"),
    Delivery.FILE: ("office", "office", "worker"),
}


@dataclass
class NoServers:
    """A file of SQLite's, and one process that does everything."""

    folder: Path
    lease: float = 0.0
    redis_url: str = ""
    roles: Mapping[Delivery, Sequence[str]] = field(
        default_factory=lambda: {Delivery.SYNC: ("alone",)}
    )
    env: dict[str, str] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """For ``DATABASE_URL``."""
        return f"sqlite://{self.folder}/var/torture.sqlite3"

    def start(self) -> None:
        """Make room for the file."""
        (self.folder / "var").mkdir()

    def stop(self) -> None:
        """Nothing runs."""

    def let_clock_move(self, moves: bool) -> None:
        """The clock of the one process is that of its database."""
        self.set_clock(0)
        self.env = moved_clock(self.folder) if moves else {}

    def set_clock(self, seconds: int) -> None:
        """So many seconds ahead or behind."""
        set_clock(self.folder, seconds)


@dataclass
class Servers:
    """Both servers. ``lease`` is how long a claim holds in this campaign, in seconds."""

    folder: Path
    lease: float = 0.0
    # Whether the database's clock can be set; see ``set_clock``.
    moves_clock: bool = False
    postgresql_port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    roles: Mapping[Delivery, Sequence[str]] = field(default_factory=lambda: ROLES)
    # What the processes of a run get besides.
    env: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """For ``DATABASE_URL``."""
        return f"postgresql://erpbridge@127.0.0.1:{self.postgresql_port}/erpbridge"

    @property
    def maintenance_url(self) -> str:
        """The database that is always there."""
        return f"postgresql://erpbridge@127.0.0.1:{self.postgresql_port}/postgres"

    @property
    def redis_url(self) -> str:
        """For ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.redis_port}/0"

    def redis_client(self) -> Any:
        """A client of the campaign's Redis."""
        return redis.Redis.from_url(self.redis_url)

    def wake(self, connection_id: int) -> None:
        """Send a wake-up more than anybody asked for."""
        wakeups.publish(connection_id)

    def start(self) -> None:
        """Make the database cluster and start both."""
        names = ["--username=erpbridge", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [postgresql_programs() / "initdb", "--pgdata", self.folder / "data", *names],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **unprivileged(),
        )
        self.start_postgresql()
        create_database(self.maintenance_url, "erpbridge")
        self.start_redis()

    def _start(self, name: str, command: list[str], probe: Any, errors: type[Exception]) -> None:
        with (self.folder / "log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(moved_clock(self.folder) if self.moves_clock else {})},
                **unprivileged(),
            )
        until_up(probe, errors, self.folder)

    def _stop(self, name: str, how: signal.Signals) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            process.send_signal(how)
            process.wait(timeout=30)

    def start_postgresql(self) -> None:
        """On the same data as before, with everything written safely."""
        options = [f"--port={self.postgresql_port}", "--listen_addresses=127.0.0.1"]
        options += [f"--unix_socket_directories={self.folder}", "--max_connections=100"]
        command = [str(postgresql_programs() / "postgres"), "-D", str(self.folder / "data")]
        self._start(
            "postgresql",
            [*command, *options],
            lambda: psycopg2.connect(self.maintenance_url).close(),
            psycopg2.OperationalError,
        )

    def restart_postgresql(self) -> None:
        """Without waiting for anybody: open transactions are lost, as in a crash."""
        self._stop("postgresql", signal.SIGQUIT)
        self.start_postgresql()

    def let_clock_move(self, moves: bool) -> None:
        """Have a database whose clock can be set, or one whose clock is right."""
        self.set_clock(0)
        if moves != self.moves_clock:
            self.moves_clock = moves
            self.restart_postgresql()
            # This process had a connection of its own.
            databases.close_all()

    def set_clock(self, seconds: int) -> None:
        """The database's clock, so many seconds ahead or behind."""
        set_clock(self.folder, seconds)

    def start_redis(self) -> None:
        """Empty, as after a crash of one that keeps nothing."""
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(self.folder)]
        self._start("redis", command, self.redis_client().ping, redis.ConnectionError)

    def stop_redis(self) -> None:
        """Gone, with every message in it."""
        self._stop("redis", signal.SIGKILL)

    def stop(self) -> None:
        """End both."""
        self._stop("redis", signal.SIGTERM)
        self._stop("postgresql", signal.SIGINT)

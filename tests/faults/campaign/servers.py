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

# Otherwise no compiled module matches its source, and each is compiled again.
FILES_KEEP_THEIR_TIMES = {"NO_FAKE_STAT": "1"}


def set_clock(folder: Path, seconds: int) -> None:
    """Set the time of the programs of ``moved_clock``, effective within a second."""
    clock = folder / "clock"
    clock.write_text(f"{seconds:+d}")
    # PostgreSQL runs as another user, who may otherwise not read this because of the umask.
    clock.chmod(0o644)


def moved_clock(folder: Path) -> dict[str, str]:
    """The environment of a program whose wall clock can be set while it runs."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Otherwise Python's threads do not wait for each other, and a process is 30 times slower.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        **FILES_KEEP_THEIR_TIMES,
    }


# The processes of each delivery; the clock of the first one is wrong.
ROLES: Mapping[Delivery, Sequence[str]] = {
    Delivery.SYNC: ("worker", "worker"),
    Delivery.QUEUED: ("worker", "worker"),
    Delivery.POLLED: ("web", "agent", "agent", "worker"),
    Delivery.FILE: ("office", "office", "worker"),
}


@dataclass
class NoServers:
    """A file of SQLite, and one process that does everything."""

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
        """Create the folder of the file."""
        (self.folder / "var").mkdir()

    def stop(self) -> None:
        """There is nothing to stop."""

    def let_clock_move(self, moves: bool) -> None:
        """Have a process whose clock can be set, which is also the clock of its database."""
        self.set_clock(0)
        self.env = moved_clock(self.folder) if moves else {}

    def set_clock(self, seconds: int) -> None:
        """Set the clock so many seconds ahead or behind."""
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
    # Further environment of the processes of a run.
    env: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """For ``DATABASE_URL``."""
        return f"postgresql://erpbridge@127.0.0.1:{self.postgresql_port}/erpbridge"

    @property
    def maintenance_url(self) -> str:
        """The database that always exists."""
        return f"postgresql://erpbridge@127.0.0.1:{self.postgresql_port}/postgres"

    @property
    def redis_url(self) -> str:
        """For ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.redis_port}/0"

    def redis_client(self) -> Any:
        """A client of the campaign's Redis."""
        return redis.Redis.from_url(self.redis_url)

    def wake(self, connection_id: int) -> None:
        """Send an additional wake-up."""
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
        """Start it with the same data as before, with every write synced to disk."""
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
        """Restart it at once: open transactions are lost, as in a crash."""
        self._stop("postgresql", signal.SIGQUIT)
        self.start_postgresql()

    def let_clock_move(self, moves: bool) -> None:
        """Have a database whose clock can be set, or one whose clock is right."""
        self.set_clock(0)
        if moves != self.moves_clock:
            self.moves_clock = moves
            self.restart_postgresql()
            # This process has lost its connection too.
            databases.close_all()

    def set_clock(self, seconds: int) -> None:
        """Set the database's clock so many seconds ahead or behind."""
        set_clock(self.folder, seconds)

    def start_redis(self) -> None:
        """Start it empty, as after a crash of a Redis that stores nothing."""
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(self.folder)]
        self._start("redis", command, self.redis_client().ping, redis.ConnectionError)

    def stop_redis(self) -> None:
        """Kill it, with every message in it."""
        self._stop("redis", signal.SIGKILL)

    def stop(self) -> None:
        """Stop both."""
        self._stop("redis", signal.SIGTERM)
        self._stop("postgresql", signal.SIGINT)

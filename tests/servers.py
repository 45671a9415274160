"""Run a command with a PostgreSQL and a Redis of its own: ``python -m tests.servers -- COMMAND``.

Both are started in a temporary folder on free ports of the loopback interface, are handed to the
command as ``DATABASE_URL`` and ``REDIS_URL``, and end with it. Servers that already run on this
machine are not touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import redis

# A migrated database that nobody is connected to.
TEMPLATE = "erpbridge_template"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unprivileged() -> dict[str, Any]:
    """How to start a server that refuses to run as root: as ``postgres``, else ``nobody``."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def postgresql_programs() -> Path:
    """The folder of ``initdb`` and ``postgres``; Debian keeps it off the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not installed and not on_path:
        raise SystemExit("PostgreSQL is not installed; run: make deps")
    return installed[-1].parent if installed else Path(on_path or "").resolve().parent


@contextmanager
def server(command: list[str], folder: Path, stop: signal.Signals) -> Iterator[None]:
    """A server process; in a session of its own, so that Ctrl-C reaches the command first."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **unprivileged(),
        )
    try:
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_up(probe: Any, errors: type[Exception], folder: Path) -> None:
    """Wait until ``probe`` raises no more; show the server's log when it never does."""
    until = time.monotonic() + 30
    while True:
        try:
            probe()
        except errors as error:
            if time.monotonic() > until:
                raise SystemExit((folder / "log").read_text() + str(error)) from error
            time.sleep(0.05)
        else:
            return


@contextmanager
def postgresql(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """The address of an empty database on a server of its own.

    :param durable: a commit waits for the disk, as it does in production.
    """
    programs, port, data = postgresql_programs(), free_port(), folder / "data"
    names = ["--username=erpbridge", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [programs / "initdb", "--pgdata", data, *names, "--no-sync"],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        **unprivileged(),
    )
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "max_connections": 200,
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [f"--{name}={value}" for name, value in options.items()]
    with server(command, folder, signal.SIGINT):
        place = f"postgresql://erpbridge@127.0.0.1:{port}"
        until_up(
            lambda: psycopg2.connect(f"{place}/postgres").close(),
            psycopg2.OperationalError,
            folder,
        )
        create_database(f"{place}/postgres", "erpbridge")
        yield f"{place}/erpbridge"


def create_database(address: str, name: str) -> None:
    """An empty database on the server at ``address``."""
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The address of a Redis that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if not program:
        raise SystemExit("Redis is not installed; run: make deps")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--dir", str(folder), "--databases", "64"]
    with server(command, folder, signal.SIGTERM):
        address = f"redis://127.0.0.1:{port}/0"
        until_up(redis.Redis.from_url(address).ping, redis.ConnectionError, folder)
        yield address


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """A folder the servers' user may write to."""
    folder = Path(tempfile.mkdtemp(prefix=f"erpbridge-{name}-"))
    who = unprivileged()
    if who:
        os.chown(folder, who["user"], who["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrated_template(address: str, env: Mapping[str, str]) -> dict[str, str]:
    """A migrated database, which each process of the suite copies instead of migrating its own."""
    place = address.rpartition("/")[0]
    create_database(f"{place}/postgres", TEMPLATE)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"],
        env={**env, "DATABASE_URL": f"{place}/{TEMPLATE}"},
        check=True,
    )
    return {"ERPBRIDGE_TEST_TEMPLATE": TEMPLATE}


def run(command: list[str]) -> int:
    """The exit code of ``command``, run beside both servers."""
    with (
        temporary_folder("postgresql") as for_postgresql,
        temporary_folder("redis") as for_redis,
        postgresql(for_postgresql) as database_url,
        redis_server(for_redis) as redis_url,
    ):
        env = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        env |= migrated_template(database_url, env)
        process = subprocess.Popen(command, env=env)
        # The terminal sends Ctrl-C to the command too; a SIGTERM has to be passed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


def main() -> None:
    """The command line."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        raise SystemExit("usage: python -m tests.servers -- COMMAND [ARGUMENT ...]")
    code = run(arguments)
    raise SystemExit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()

"""``manage.py serve``: run the whole product with one command, for ``make run``."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from erpbridge import env
from erpbridge.processes.private_files import UMASK

DEMO_WARNING = """
**************************************************************************************
*  DEMO MODE. Everybody who reads this table can sign in: the passwords are public.  *
*  Never put real data in here, and never open it to a network.                      *
**************************************************************************************
"""


class Command(BaseCommand):
    """Migrate, load the demo data in demo mode, and serve until Ctrl-C."""

    help = "Migrates the database and serves the product; without REDIS_URL with its own worker."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the address to listen on, and the demo mode."""
        parser.add_argument("--demo", action="store_true", help="with invented people and data")
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, demo: bool, **options: Any) -> None:
        """Run all steps; every failure ends with one sentence and exit code 1."""
        refuse_taken(host, port)
        if demo and settings.MODE != "demo":
            restart_in_demo_mode()
        # Before the database file and its -wal and -shm files are created.
        os.umask(UMASK)
        call_command("migrate", verbosity=0, interactive=False)
        if demo:
            call_command("seed_demo")
            self.stdout.write(DEMO_WARNING)
        connections.close_all()
        become_server(host, port)


def refuse_taken(host: str, port: int) -> None:
    """Fail early when the address cannot be used.

    :raises CommandError: when the port is out of range or in use, or the host is not on this
        machine.
    """
    if not 1 <= port <= 65535:
        raise CommandError(f"--port must be from 1 to 65535; it is {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As gunicorn does, so that a port in TIME_WAIT can be used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host} port {port}: {error.strerror}. "
                f"Choose another one, for example: make run PORT={port + 1}"
            ) from error


def become_server(host: str, port: int) -> NoReturn:
    """Replace this process with the web server, which then has nothing of the command in memory."""
    # The server finds the product's packages from whatever folder the command was started in.
    paths = (str(settings.BASE_DIR), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    sys.stdout.flush()
    command = [sys.executable, "-m", "erpbridge.processes.server", host, str(port)]
    os.execve(sys.executable, command, environment)  # noqa: S606 - a list, never a shell


def restart_in_demo_mode() -> None:
    """Replace this process with the same command in the environment of demo mode.

    :raises CommandError: in production mode.
    """
    if settings.PRODUCTION:
        raise CommandError("--demo shows public passwords and is refused in production mode.")
    environment = {**os.environ, "ERPBRIDGE_MODE": "demo"}
    if not env.text("ERPBRIDGE_SECRET_KEY"):
        environment["ERPBRIDGE_SECRET_KEY"] = kept_secret_key(settings.DATA_DIR)
    sys.stdout.flush()
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606 - this process's own command line


def kept_secret_key(folder: Path) -> str:
    """Return the secret key of this data folder, created at the first start with mode 0600.

    It is stored, so that a restart does not end sessions.
    """
    path = folder / "secret-key"
    try:
        # O_EXCL: of two starts at the same time, one creates the key and the other reads it.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key := secrets.token_urlsafe(50))
    return key

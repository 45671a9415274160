"""A real ERP for tests and newcomers: Tryton in a virtual environment and processes of its own.

``python -m tests.tryton prepare`` builds both, once; ``python -m tests.tryton serve --port N``
serves a Tryton on loopback that keeps what it gets, connects a demo account of erpbridge to it,
and prints every party and cost code that arrives. That is ``make tryton``.
Tryton is under the GPL: nothing of it is imported here, and erpbridge speaks to it over HTTP only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pycountry
import requests

from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-tryton.lock"
SETUP = ROOT / "tests" / "tryton_setup.py"
ENVIRONMENT = ROOT / ".venv-tryton"
FOLDER = ROOT / "var" / "tryton"
MODULES = ("party", "company", "account", "analytic_account")
DATABASE = "erp"
COUNTRIES = ("US", "CA", "MX")
# Of the administrator of a Tryton that listens on loopback only.
PASSWORD = "demo-cedar-anvil-40"


# --- building, once -------------------------------------------------------------------------


def recipe() -> str:
    """What the environment and the template are made from."""
    listed = json.dumps([MODULES, COUNTRIES, PASSWORD]).encode()
    return hashlib.sha256(LOCK.read_bytes() + SETUP.read_bytes() + listed).hexdigest()[:12]


@contextmanager
def alone() -> Iterator[None]:
    """Only one process of this machine builds."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare() -> Path:
    """The folder of the template database, built where it is not there yet."""
    built = FOLDER / recipe()
    with alone():
        build_environment()
        if not (built / "facts.json").exists():
            build_template(built)
    return built


def build_environment() -> None:
    """Tryton's packages exactly as locked, hashes checked."""
    stamp = ENVIRONMENT / ".installed"
    lock_hash = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == lock_hash:
        return
    print("Preparing Tryton (once) ...", flush=True)
    subprocess.run(
        [sys.executable, "-m", "venv", "--clear", "--without-pip", ENVIRONMENT], check=True
    )
    subprocess.run(
        [
            Path(sys.executable).parent / "uv",
            *["pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", LOCK],
        ],
        env={**os.environ, "VIRTUAL_ENV": str(ENVIRONMENT)},
        check=True,
    )
    stamp.write_text(lock_hash)


def build_template(built: Path) -> None:
    """An ERP with a company, countries and users; takes about fifteen seconds."""
    print("Setting up a company in Tryton (once) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        (folder / f"{DATABASE}.sqlite").touch()
        configure(folder, port=0)
        (folder / "password").write_text(PASSWORD)
        admin = ["trytond-admin", "-c", "trytond.conf", "-d", DATABASE]
        program(folder, *admin, "--all", "--email", "admin@tryton.example")
        program(folder, *admin, "--update", *MODULES, "--activate-dependencies")
        facts = program(
            folder, "python", SETUP, "trytond.conf", DATABASE, input_text=json.dumps(countries())
        )
        checkpoint(folder / f"{DATABASE}.sqlite")
        (folder / "facts.json").write_text(facts)
        (folder / "password").unlink()
        folder.chmod(0o755)
        shutil.copytree(folder, built, dirs_exist_ok=True)


def countries() -> list[dict[str, Any]]:
    """Countries with the subdivisions that an address can name."""
    return [
        {
            "name": country.name,
            "code": country.alpha_2,
            "code3": country.alpha_3,
            "no": country.numeric,
            "subdivisions": [
                {
                    "name": subdivision.name,
                    "code": subdivision.code,
                    "type": subdivision.type.lower(),
                }
                for subdivision in pycountry.subdivisions.get(country_code=country.alpha_2)
            ],
        }
        for country in (pycountry.countries.get(alpha_2=code) for code in COUNTRIES)
    ]


def configure(folder: Path, *, port: int) -> None:
    """Tryton's settings: databases in ``folder``, listening on loopback."""
    (folder / "trytond.conf").write_text(
        # Without a session timeout the list of databases is not cached: new ones are seen at once.
        f"[database]\nuri = sqlite://\npath = {folder}\n"
        f"[web]\nlisten = 127.0.0.1:{port}\n[session]\ntimeout = 0\n"
    )


def program(folder: Path, name: str, *arguments: Any, input_text: str = "") -> str:
    """Run a program of Tryton's environment; shows what it said when it fails."""
    result = subprocess.run(
        [ENVIRONMENT / "bin" / name, *arguments],
        cwd=folder,
        env={**os.environ, "TRYTONPASSFILE": str(folder / "password")},
        input=input_text,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"{name} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def checkpoint(path: Path) -> None:
    """Put everything into the one file, so that it can be copied.

    Tryton runs SQLite with a write-ahead log; a file beside another one's log mixes the two.
    """
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def put(template: Path, path: Path) -> None:
    """Put a copy of the template where no server uses the file."""
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    shutil.copyfile(template / f"{DATABASE}.sqlite", path)
    # Beside it, for the template may be another one later, with other keys.
    shutil.copyfile(template / "facts.json", path.with_suffix(".json"))


# --- serving --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Erp:
    """One database of a running Tryton. ``facts`` are what the setup printed."""

    url: str
    path: Path
    facts: Mapping[str, Any]

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Straight from Tryton's own database."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def change(self, query: str, *values: Any) -> None:
        """Change something behind Tryton's back; it caches next to nothing."""
        with closing(sqlite3.connect(self.path, timeout=10)) as database, database:
            database.execute(query, values)


@dataclass
class Server:
    """A running Tryton that serves every database in its folder."""

    address: str
    folder: Path
    template: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start on the same port and data as before."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    ENVIRONMENT / "bin" / "trytond",
                    "-c",
                    self.folder / "trytond.conf",
                    "-d",
                    DATABASE,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        url = f"{self.address}/{DATABASE}/rest/model/party.party"
        until_up(url, self.process, self.folder)

    def kill(self) -> None:
        """End at once, whatever it is doing."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End by SIGTERM; killed after five seconds."""
        # SIGINT is ignored by what a shell started in the background, SIGTERM is not.
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()

    def erp(self, name: str = DATABASE) -> Erp:
        """The database of this name, from the template where there is none."""
        path = self.folder / f"{name}.sqlite"
        if not path.exists():
            put(self.template, path)
        facts = json.loads(path.with_suffix(".json").read_text())
        return Erp(f"{self.address}/{name}", path, facts)


@contextmanager
def serving(folder: Path, *, port: int = 0) -> Iterator[Server]:
    """A Tryton on loopback that keeps its databases in ``folder`` and ends with the block."""
    template = prepare()
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configure(folder, port=port)
    if not (folder / f"{DATABASE}.sqlite").exists():
        put(template, folder / f"{DATABASE}.sqlite")
    server = Server(f"http://127.0.0.1:{port}", folder, template)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def until_up(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until Tryton asks for a key; show its log when it never does."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            requests.get(url, timeout=10)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"Tryton did not start:\n{(folder / 'log').read_text()[-2000:]}")


# --- for newcomers --------------------------------------------------------------------------


def serve(port: int) -> None:
    """Serve until Ctrl-C a Tryton with the demo's connection to it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"Port {port} is in use. Another one: make tryton TRYTON_PORT=8169")
    # Ended by Ctrl-C or by SIGTERM, Tryton ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), serving(FOLDER / "demo", port=port) as server:
        erp = server.erp()
        print(f"Tryton is ready at {erp.url} with its database in {erp.path}", flush=True)
        connect(erp)
        watch(erp, server.process)


def connect(erp: Erp) -> None:
    """Have erpbridge connect its demo account; the key goes by the environment, unseen by ps."""
    command = [sys.executable, "manage.py", "seed_tryton", "--url", erp.url]
    command += ["--company", str(erp.facts["company"])]
    secret = {"ERPBRIDGE_TRYTON_KEY": erp.facts["key"]}
    quiet = {"ERPBRIDGE_LOG_LEVEL": "WARNING"}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **quiet, **secret}, check=True)


ARRIVALS = {
    "party": "SELECT id, code, name FROM party_party WHERE id > ? ORDER BY id",
    "analytic account": (
        "SELECT id, code, name FROM analytic_account_account WHERE id > ? ORDER BY id"
    ),
}


def watch(erp: Erp, process: subprocess.Popen[bytes]) -> None:
    """Print every party and cost code that arrives, read from Tryton's own database."""
    last_ids = {
        noun: max((row["id"] for row in erp.rows(query, 0)), default=0)
        for noun, query in ARRIVALS.items()
    }
    while process.poll() is None:
        for noun, query in ARRIVALS.items():
            for row in erp.rows(query, last_ids[noun]):
                last_ids[noun] = row["id"]
                print(f"Arrived in Tryton: {noun} {row['code']}, {row['name']}", flush=True)
        time.sleep(0.5)
    raise SystemExit("Tryton has ended.")


def main() -> None:
    """The command line."""
    parser = ArgumentParser(prog="python -m tests.tryton")
    parser.add_argument("what", choices=["prepare", "serve"])
    parser.add_argument("--port", type=int, default=8069)
    arguments = parser.parse_args()
    if arguments.what == "prepare":
        prepare()
    else:
        serve(arguments.port)


if __name__ == "__main__":
    main()

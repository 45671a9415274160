"""Programs of erpbridge started as processes of their own, and stopped cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import quote

from erpbridge.celery import app

ROOT = Path(__file__).resolve().parent.parent
Running = subprocess.Popen


def redis_url() -> str:
    """The run's own Redis, empty in the SQLite run."""
    return os.environ.get("REDIS_URL", "")


def database_url(database: Mapping[str, Any]) -> str:
    """The address of one of Django's ``DATABASES``, for another process."""
    if "sqlite" in database["ENGINE"]:
        return f"sqlite://{database['NAME']}"
    place = f"{database['USER']}@{database['HOST']}:{database['PORT']}"
    return f"postgresql://{place}/{quote(database['NAME'])}"


def environment(**variables: str) -> dict[str, str]:
    """The environment for a program of the product, which knows nothing of the tests' settings."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "erpbridge.settings", **variables}


def wait_for(condition: Callable[[], Any], *, program: Running, seconds: float = 90) -> Any:
    """The first true answer of ``condition``; fails when the program ends or time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := condition():
            return answer
        if program.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"{program.args} did not come up (exit code {program.poll()})")


@contextmanager
def running(
    command: list[str], env: Mapping[str, str], *, stop_with: signal.Signals = signal.SIGTERM
) -> Iterator[Running]:
    """A program that ends with the block; shows what it said when the block fails."""
    with TemporaryFile("w+") as output:
        program = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
        program.said = lambda: Path(f"/proc/self/fd/{output.fileno()}").read_text()  # type: ignore[attr-defined]
        try:
            yield program
        except BaseException:
            print(program.said())  # type: ignore[attr-defined]
            raise
        finally:
            stop(program, stop_with)


def stop(
    program: Running, stop_signal: signal.Signals = signal.SIGTERM, *, seconds: float = 20
) -> int:
    """Ask the program to end and wait; kill it when it does not."""
    if program.poll() is None:
        program.send_signal(stop_signal)
    try:
        return program.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        program.kill()
        return program.wait()


@contextmanager
def celery_worker(database: Mapping[str, Any]) -> Iterator[Running]:
    """``celery -A erpbridge worker``, answering."""
    command = [sys.executable, "-m", "celery", "-A", "erpbridge", "worker", "--concurrency=2"]
    env = environment(DATABASE_URL=database_url(database))
    with running([*command, "--loglevel=INFO"], env) as program:
        wait_for(lambda: app.control.ping(timeout=0.3), program=program)
        yield program

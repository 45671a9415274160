"""Resident memory of the programs after some work, against Python with their libraries loaded.

All processes of a program together; what they share is counted once (Linux's PSS).
"""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
from django.db import connection as db
from django.urls import reverse

from bench import ground, programs
from bench.ground import Ground
from bench.measure import Result
from erp_integrations.models import Item
from erp_integrations.models.states import State
from tests.programs import database_url, environment

ITEMS = 400
PAGES = 200
LONGEST = 60.0
MEGABYTE = 1024 * 1024
BASELINE = "Python with Django and Celery"
# What a process that serves or exports has loaded before anything of ours.
NOTHING = """
import sys, celery.worker, django, django.contrib.auth, django.core.handlers.wsgi, gunicorn.app.base
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"])
django.setup()
print(flush=True)
sys.stdin.read()
"""


def embedded(items: int = ITEMS, pages: int = PAGES) -> Result:
    """The one process of ``serve``, on SQLite."""
    place = ground.ground()
    ground.connect(place)
    with programs.serving() as (address, server):
        ground.send_and_accept(place, ground.add_companies(place, items))
        _browse(place, address, pages)
        _wait_until_synced(place)
        used = _megabytes(server.pid)
    return _result("memory_embedded", {"web and worker in one (serve)": used})


def shared(items: int = ITEMS, pages: int = PAGES) -> Result:
    """A web server of one process and of two, and a worker of two, on PostgreSQL and Redis."""
    place = ground.ground()
    ground.connect(place)
    with programs.workers() as worker:
        ground.send_and_accept(place, ground.add_companies(place, items))
        _wait_until_synced(place)
        exporting = _megabytes(worker.pid)
    figures = {"worker and its two processes": exporting}
    for processes, name in (
        (2, "web server with two processes"),
        (1, "web server with one process"),
    ):
        with programs.web(processes=processes) as (address, server):
            _browse(place, address, pages)
            figures[name] = _megabytes(server.pid)
    return _result("memory_shared", figures)


def _result(name: str, figures: dict[str, float]) -> Result:
    return Result(
        name=name,
        what="Memory after some work",
        baseline=BASELINE,
        measured=list(figures)[-1],
        figures={BASELINE: _nothing(), **figures},
        unit="MB",
    )


def _nothing() -> float:
    command = [sys.executable, "-c", NOTHING]
    env = environment(DATABASE_URL=database_url(db.settings_dict))
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        used = _megabytes(program.pid)
        program.communicate()
    return used


def _megabytes(pid: int) -> float:
    program = psutil.Process(pid)
    processes = [
        process.memory_full_info() for process in (program, *program.children(recursive=True))
    ]
    # Elsewhere than on Linux there is no PSS; then what they share is left out.
    return float(sum(getattr(memory, "pss", memory.uss) for memory in processes)) / MEGABYTE


def _browse(place: Ground, address: str, pages: int) -> None:
    session = programs.signed_in(place.pat)
    for _ in range(pages):
        for name in ("erp:companies", "directory:account_companies"):
            answer = session.get(address + reverse(name, args=[place.account.pk]), timeout=LONGEST)
            if answer.status_code != 200:
                raise RuntimeError(f"{answer.url} was answered with {answer.status_code}.")


def _wait_until_synced(place: Ground) -> None:
    unsynced = Item.objects.filter(account=place.account).exclude(state=State.SYNCED)
    until = time.monotonic() + LONGEST
    while unsynced.exists():
        if time.monotonic() > until:
            raise RuntimeError(f"{unsynced.count()} items were not exported.")
        time.sleep(0.2)

"""A Celery worker that may kill itself where it hurts most: ``python -m tests.faults.worker``.

The product has no switches for this; the functions of the engine are wrapped from outside.
``FAULT_POINT`` names the place, ``FAULT_CHANCE`` how often, ``FAULT_LEFT`` a folder with one file
per death that is still allowed, and ``FAULT_WITHOUT`` a safeguard to be taken away.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

POINTS = ("before_lease", "after_lease", "after_applied", "before_settle")
SAFEGUARDS = ("fence", "look", "key")


def die_by_chance() -> None:
    """SIGKILL to this very process, as long as there are deaths left to die."""
    if random.random() > float(os.environ.get("FAULT_CHANCE", "0")):
        return
    for allowed in Path(os.environ["FAULT_LEFT"]).iterdir():
        try:
            allowed.unlink()
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """``function``, at whose begin or end the worker may die."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            die_by_chance()
        result = function(*args, **kwargs)
        if not before and result:
            die_by_chance()
        return result

    return wrapped


def place(point: str) -> None:
    """Make the engine of this process die at ``point``."""
    from erp_integrations import engine
    from erp_integrations.guard import Guarded

    if point == "before_lease":
        engine.claim = dying(engine.claim, before=True)
    elif point == "after_lease":
        engine.claim = dying(engine.claim, before=False)
    elif point == "after_applied":
        Guarded.submit = dying(Guarded.submit, before=False)
    elif point == "before_settle":
        engine.settle = dying(engine.settle, before=True)


def take_away(safeguard: str) -> None:
    """Switch one safeguard off, to see that the campaign notices."""
    from erp_integrations import engine, recovery
    from erp_integrations.models import Item

    if safeguard == "fence":
        engine._held = lambda claims: Item.objects.filter(pk__in=[one.item.pk for one in claims])
        engine._too_late = lambda since: False
    elif safeguard == "look":
        engine._first_look = lambda adapter, manifest, one: None
        recovery._resolve = lambda connection, adapter, manifest, item: (
            recovery._not_there(item, settled=True) or True
        )


def hasten() -> None:
    """Short deadlines, so that what hangs on them need not be waited for; in every process."""
    from erp_integrations import connections

    declared = connections.manifest_of
    seconds = float(os.environ["FAULT_DEADLINE"])

    def hastened(connection: Any) -> Any:
        return replace(declared(connection), call_deadline=seconds, settles_within=1.0)

    connections.manifest_of = hastened


def main() -> None:
    """Start the worker; solo, so that its death is the death of the process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpbridge.settings")
    django.setup()
    hasten()
    place(os.environ.get("FAULT_POINT", ""))
    take_away(os.environ.get("FAULT_WITHOUT", ""))
    from erpbridge.celery import app

    app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING", *sys.argv[1:]])


if __name__ == "__main__":
    main()

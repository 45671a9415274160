"""Where the benchmarks run: ``python -m bench.places NAME ...`` runs those of one place.

A process of its own for each place, for the settings are read once in a process. ``ALONE`` is
SQLite without Redis; ``SHARED`` a PostgreSQL that really writes and a Redis, both started for it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.ending import unwind_on_signals

ALONE, SHARED = "SQLite", "PostgreSQL and Redis"
# Sizes of lists of codes; small ones for all that are measured along one life.
FEW = (10, 20)
# Name -> where it runs, its function, and sizes that only show that it runs.
BENCHMARKS: Mapping[str, tuple[str, str, tuple[Any, ...]]] = {
    "list_of_companies": (ALONE, "list_of_companies.run", ((3, 6),)),
    "send_and_accept": (ALONE, "send_and_accept.run", (4,)),
    "list_of_items": (ALONE, "list_of_items.run", ((3, 20),)),
    "export": (ALONE, "export.run", (4,)),
    "idle": (ALONE, "idle.run", (2,)),
    "memory_embedded": (ALONE, "memory.embedded", (2, 2)),
    "memory_shared": (SHARED, "memory.shared", (2, 2)),
    "throughput": (SHARED, "throughput.run", (20,)),
    "remote": (SHARED, "remote.run", (4, 5)),
    "into_tryton": (SHARED, "into_tryton.run", (2,)),
    "accept": (SHARED, "accept.run", (6,)),
    "backlog": (SHARED, "backlog.run", ((60, 70), 1)),
    "send_against_floor": (SHARED, "send_against_floor.run", (6,)),
    "fairness": (SHARED, "growth.fairness", ((1,), 20, 1)),
    "scaling": (SHARED, "growth.scaling", ((1, 2), 20)),
    "rest_list": (SHARED, "rest.list_plain", (5,)),
    "rest_list_floor": (SHARED, "rest.list_bare", (5,)),
    "rest_sync": (SHARED, "rest.sync_plain", (5,)),
    "rest_sync_floor": (SHARED, "rest.sync_bare", (5,)),
    "rest_first_byte": (SHARED, "rest.first_byte", (6, 3)),
    "send_codes": (SHARED, "codes.send", (FEW, 1)),
    "accept_codes": (SHARED, "codes.accept", (FEW, 1)),
    "export_codes": (SHARED, "codes.export", (FEW, 1)),
    "pages_of_codes": (SHARED, "codes.pages", (FEW, 1)),
}


def main() -> None:
    """The command line; the results go into a file, as a list."""
    parser = argparse.ArgumentParser(prog="python -m bench.places", description=__doc__)
    parser.add_argument("names", nargs="+", choices=BENCHMARKS)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    unwind_on_signals()
    # Only production collects static files into a folder.
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    results = list(measured(options.names, small=options.small))
    options.output.write_text(json.dumps(results), encoding="utf-8")


def measured(names: Sequence[str], *, small: bool) -> Iterator[dict[str, Any]]:
    """The results of some benchmarks, one after the other."""
    for name in names:
        place, function, tiny = BENCHMARKS[name]
        module, _, called = function.partition(".")
        run = getattr(importlib.import_module(f"bench.{module}"), called)
        yield {**run(*(tiny if small else ())).as_json(), "place": place}


if __name__ == "__main__":
    main()

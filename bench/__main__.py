"""``python -m bench``: run every benchmark on an empty database, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.measure import Result

REPORT = Path("test-results") / "bench.json"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--output", type=Path, default=REPORT, help="the JSON file to write")
    parser.add_argument("--small", action="store_true", help="tiny sizes: shows only that it runs")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="erpbridge-bench-") as folder:
        results, vendor = measured(Path(folder), small=options.small)
    report = {
        "database": vendor,
        "python": platform.python_version(),
        "small": options.small,
        "seconds": round(time.monotonic() - started, 1),
        "benchmarks": [one.as_json() for one in results],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(report) + f"\nWritten to {options.output}\n")


def measured(folder: Path, *, small: bool) -> tuple[list[Result], str]:
    """The results, and on which kind of database."""
    # Wake-ups stay in this process, where nobody listens: a worker would disturb the clock.
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "erpbridge.settings",
        "ERPBRIDGE_DATA_DIR": str(folder),
        "ERPBRIDGE_MODE": "development",
        "ERPBRIDGE_LOG_LEVEL": "ERROR",
        "REDIS_URL": "",
    }
    # Only production collects static files into a folder.
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
    import django

    django.setup()
    from django.db import connection

    with database(folder):
        return [run() for run in benchmarks(small=small)], connection.vendor


@contextmanager
def database(folder: Path) -> Iterator[None]:
    """An empty database beside the configured one, gone afterwards."""
    from django.db import connection

    sqlite = connection.vendor == "sqlite"
    name = str(folder / "bench.sqlite3") if sqlite else f"erpbridge_bench_{os.getpid()}"
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


def benchmarks(*, small: bool) -> list[Callable[[], Result]]:
    """All of them, in the sizes that count or in sizes that only show that they run."""
    from bench import export, list_of_companies, list_of_items, send_and_accept

    if small:
        return [
            lambda: list_of_companies.run((3, 6)),
            lambda: send_and_accept.run(4),
            lambda: list_of_items.run((3, 20)),
            lambda: export.run(4),
        ]
    return [list_of_companies.run, send_and_accept.run, list_of_items.run, export.run]


def table(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = [f"{report['database']}, Python {report['python']}, {report['seconds']} s"]
    for one in report["benchmarks"]:
        lines.append(f"\n{one['what']}")
        lines += [
            f"  {case:<36} {1000 * seconds:>10,.1f} ms" for case, seconds in one["seconds"].items()
        ]
        lines.append(f"  {one['measured']} / {one['baseline']}: {one['ratio']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

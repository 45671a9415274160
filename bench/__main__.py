"""``python -m bench [NAME ...]``: run benchmarks on empty databases, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.ending import unwind_on_signals
from bench.places import ALONE, BENCHMARKS, SHARED

REPORT = Path("test-results") / "bench.json"
UNITS = {"s": ("ms", 1000.0), "/s": ("/s", 1.0), "MB": ("MB", 1.0)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--output", type=Path, default=REPORT, help="the JSON file to write")
    parser.add_argument("--small", action="store_true", help="tiny sizes: shows only that it runs")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}.")
    unwind_on_signals()
    started = time.monotonic()
    results: list[dict[str, Any]] = []
    for place in (ALONE, SHARED):
        names = [name for name in options.names or BENCHMARKS if BENCHMARKS[name][0] == place]
        if names:
            results += measured(place, names, small=options.small)
    report = {
        "python": platform.python_version(),
        "small": options.small,
        "seconds": round(time.monotonic() - started, 1),
        "benchmarks": results,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(report) + f"\nWritten to {options.output}\n")


def measured(place: str, names: Sequence[str], *, small: bool) -> list[dict[str, Any]]:
    """The results of benchmarks of one place, in a process that ends with them.

    :raises SystemExit: when one fails; it has said why.
    """
    with tempfile.TemporaryDirectory(prefix="erpbridge-bench-") as folder, addresses(place) as env:
        results_file = Path(folder) / "results.json"
        command = [sys.executable, "-m", "bench.places", *names, "--output", str(results_file)]
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        settings = {
            **inherited,
            **env,
            "DJANGO_SETTINGS_MODULE": "erpbridge.settings",
            "ERPBRIDGE_DATA_DIR": folder,
            "ERPBRIDGE_MODE": "development",
            "ERPBRIDGE_LOG_LEVEL": "ERROR",
        }
        if small:
            command.append("--small")
        code = _code_of(command, settings)
        if code:
            raise SystemExit(code)
        results: list[dict[str, Any]] = json.loads(results_file.read_text(encoding="utf-8"))
        return results


def _code_of(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a program; when this one is ended before, that ends too, and what it has started."""
    with subprocess.Popen(command, env=env) as program:
        try:
            return program.wait()
        except BaseException:
            program.terminate()
            raise


@contextmanager
def addresses(place: str) -> Iterator[Mapping[str, str]]:
    """The settings that name the database and the broker of a place."""
    if place == ALONE:
        # Wake-ups stay in the benchmark's process, where nobody listens.
        yield {"REDIS_URL": ""}
        return
    from tests.servers import postgresql, redis_server, temporary_folder

    with (
        temporary_folder("postgresql") as for_postgresql,
        temporary_folder("redis") as for_redis,
        postgresql(for_postgresql, durable=True) as database_url,
        redis_server(for_redis) as redis_url,
    ):
        yield {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"Python {report['python']}, {report['seconds']} s"]
    for benchmark in report["benchmarks"]:
        unit, factor = UNITS[benchmark["unit"]]
        lines.append(f"\n{benchmark['what']} ({benchmark['place']})")
        for case, figure in benchmark["figures"].items():
            line = f"  {case:<48} {factor * figure:>10,.1f} {unit:<3}"
            if case in benchmark["ratios"]:
                line += f" {benchmark['ratios'][case]:>7.2f} x"
            if case in benchmark["aims"]:
                aim = benchmark["aims"][case]
                line += f"  (aim: {aim['is']}{'' if aim['met'] else ', missed'})"
            lines.append(line)
        lines.append(f"  x: times {benchmark['baseline']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

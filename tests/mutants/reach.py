"""Which test reaches which line: traced once, and again for test files that have changed.

Stored in ``var/mutants/reach.json``. A test file is traced again when it, or a mutated file that it
reaches, has changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from subprocess import run
from time import perf_counter
from typing import Any

import coverage
import pytest

from tests.mutants.making import ROOT, path_of
from tests.mutants.targets import modules, tests_of

FOLDER = ROOT / "var" / "mutants"
KEPT = FOLDER / "reach.json"
WANTED = FOLDER / "to-trace.txt"
AT_ONCE = 12
OPTIONS = ["-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not shared"]


def digest(path: Path) -> str:
    """A digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""


class Reach:
    """The tests that reach each line of each mutated module, and how long they take."""

    def __init__(self) -> None:
        stored = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        self.files: dict[str, str] = stored.get("files", {})
        # Test -> {"seconds": .., "lines": {module: [lines]}}
        self.tests: dict[str, dict[str, Any]] = stored.get("tests", {})

    def refresh(self, names: Collection[str]) -> None:
        """Trace what has to be traced again for these modules, some files in a process each."""
        outdated = self._outdated(names)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(outdated), AT_ONCE):
            print(f"Tracing {len(outdated) - start} files of tests ...", flush=True)
            WANTED.write_text("\n".join(outdated[start : start + AT_ONCE]))
            run([sys.executable, "-m", "tests.mutants.reach"], cwd=ROOT, check=True)
        self.__init__()  # type: ignore[misc]

    def _outdated(self, names: Collection[str]) -> list[str]:
        files = sorted({file for name in names for file in tests_of(name)})
        return [file for file in files if self.files.get(file) != self.state(file)]

    def state(self, file: str) -> str:
        """A digest of a file of tests and the mutated modules that it reaches."""
        reached = {
            name
            for test, traced in self.tests.items()
            if test.partition("::")[0] == file
            for name in traced["lines"]
        }
        digests = [digest(ROOT / file), *(digest(path_of(name)) for name in sorted(reached))]
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]

    def asked(self, module: str, line: int, *, called: bool) -> list[str]:
        """The tests that reach a line, those of the module's own file first, then the quick ones.

        Code that runs when the module is imported is reached by every test of the module.
        """
        files = set(tests_of(module))
        reaching = [
            test
            for test, traced in self.tests.items()
            if test.partition("::")[0] in files
            and (line in traced["lines"].get(module, ()) or not called)
        ]
        stem = module.rpartition(".")[2]
        return sorted(
            reaching,
            key=lambda test: (f"test_{stem}.py" not in test, self.tests[test]["seconds"], test),
        )

    def within(self, seconds: float, tests: Sequence[str]) -> list[str]:
        """The first tests that together take at most so long, and at least one."""
        ends = accumulate(self.tests[test]["seconds"] for test in tests)
        return [test for test, end in zip(tests, ends, strict=True) if end <= seconds] or [
            *tests[:1]
        ]

    def seconds(self, tests: Collection[str]) -> float:
        """How long the tests take, one after another."""
        return float(sum(self.tests[test]["seconds"] for test in tests))


class Tracer:
    """A pytest plugin that notes what each test reaches; a test that fails is not used."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(
            data_file=None,
            config_file=False,
            include=[str(path_of(name)) for name in modules()],
        )
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        began = perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(perf_counter() - began, 3)
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    def lines(self) -> dict[str, dict[str, list[int]]]:
        """Test -> module -> lines."""
        data = self.coverage.get_data()
        lines_of_tests: dict[str, dict[str, list[int]]] = defaultdict(dict)
        for name in modules():
            for line, tests in data.contexts_by_lineno(str(path_of(name))).items():
                for test in filter(None, tests):
                    lines_of_tests[test].setdefault(name, []).append(line)
        return lines_of_tests


def trace(files: Collection[str]) -> None:
    """Run these files of tests and store what they reach."""
    tracer = Tracer()
    tracer.coverage.start()
    pytest.main([*OPTIONS, *files], plugins=[tracer])
    tracer.coverage.stop()
    reach, lines = Reach(), tracer.lines()
    reach.tests = {
        test: traced
        for test, traced in reach.tests.items()
        if test.partition("::")[0] not in files and (ROOT / test.partition("::")[0]).exists()
    }
    for test, seconds in tracer.seconds.items():
        if test in tracer.failed:
            print("Fails, or is left out, as it is:", test)
        else:
            # A test that calls no function may read a table.
            reach.tests[test] = {"seconds": seconds, "lines": lines.get(test, {})}
    reach.files |= {file: reach.state(file) for file in files}
    KEPT.write_text(json.dumps({"files": reach.files, "tests": reach.tests}))


if __name__ == "__main__":
    trace(WANTED.read_text().splitlines())

"""``python -m tests.mutants [MODULE ...]``: how many small bugs the tests notice.

Continues where it was stopped: a noticed mutant stays noticed until its module changes, a survivor
is tried again when its tests have changed. Mutants that are equivalent to the program are listed in
``same.toml`` with the reason, and do not count. The modules take turns, each in the order of a
hash: a run that is stopped early, or has a limit, has tried a sample of as many mutants of every
module, and its scores are estimates.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.making import ROOT, Mutant, mutants_of, path_of
from tests.mutants.reach import FOLDER, OPTIONS, Reach, digest
from tests.mutants.running import Asked, Forking
from tests.mutants.targets import modules

SAME = Path(__file__).with_name("same.toml")


class Results:
    """The results of the mutants of one module, stored in ``var/mutants``."""

    def __init__(self, module: str) -> None:
        self.path = FOLDER / f"{module}.json"
        stored = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.source = digest(path_of(module))
        current = stored.get("source") == self.source
        self.results: dict[str, dict[str, Any]] = stored["found"] if current else {}

    def is_known(self, mutant: Mutant, tests: str) -> bool:
        """Whether another try would have the same result."""
        result = self.results.get(mutant.key)
        return result is not None and (result["noticed"] or result["tests"] == tests)

    def keep(self, mutant: Mutant, **result: Any) -> None:
        """Store a result at once, so that a stopped run keeps it."""
        self.results[mutant.key] = result
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"source": self.source, "found": self.results}, indent=1))


def reasons(module: str) -> dict[str, str]:
    """The mutants that are equivalent to the program, and why."""
    entries = tomllib.loads(SAME.read_text()).get("same", [])
    of_module = [entry for entry in entries if entry["module"] == module]
    return {mutant: entry["why"] for entry in of_module for mutant in entry["mutants"]}


def stale(module: str) -> list[str]:
    """Entries of ``same.toml`` without a mutant."""
    return sorted(set(reasons(module)) - {mutant.key for mutant in mutants_of(module)})


class Run:
    """One run over some modules."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        only: str = "",
        limit: int | None = None,
        functions: bool = False,
        seconds: float = float("inf"),
    ) -> None:
        self.reach = Reach()
        self.reach.refresh(names)
        self.seconds = seconds
        self.results = {name: Results(name) for name in names}
        self.mutants = {
            name: [mutant for mutant in mutants_of(name) if mutant.key not in reasons(name)]
            for name in names
        }
        # In the order of a hash, so that a stopped run has tried a fair sample.
        samples = [
            sorted(
                (
                    mutant
                    for mutant in self.mutants[name]
                    if only in mutant.key and (mutant.function or not functions)
                ),
                key=lambda mutant: sha256(mutant.key.encode()).digest(),
            )[:limit]
            for name in names
        ]
        in_turns = chain.from_iterable(zip_longest(*samples))
        self.asked = [self._asked(mutant) for mutant in in_turns if mutant is not None]
        self.began = time.monotonic()

    def _asked(self, mutant: Mutant) -> Asked:
        tests = self.reach.asked(mutant.module, mutant.line, called=bool(mutant.function))
        return Asked(mutant, tests, self.reach.seconds(tests))

    def _tests(self, asked: Asked) -> str:
        """A digest of the current tests."""
        files = sorted({test.partition("::")[0] for test in asked.tests})
        states = [*sorted(asked.tests), *(self.reach.files[file] for file in files)]
        return sha256("\n".join(states).encode()).hexdigest()[:16]

    def left(self) -> Iterator[Asked]:
        """The mutants without a known result."""
        for asked in self.asked:
            if not self.results[asked.mutant.module].is_known(asked.mutant, self._tests(asked)):
                self.began = time.monotonic()
                likelihood = self._likely(asked)
                tests = sorted(asked.tests, key=lambda test: -likelihood[test])
                yield replace(asked, tests=self.reach.within(self.seconds, tests))

    def _likely(self, asked: Asked) -> Counter[str]:
        """How often each test has noticed a mutant of the module, and of the same function."""
        often: Counter[str] = Counter()
        for key, result in self.results[asked.mutant.module].results.items():
            if result["noticed"]:
                often[result["how"]] += 10 if key.startswith(f"{asked.mutant.function}: ") else 1
        return often

    def tell(self, asked: Asked, noticed: bool, how: str) -> None:
        """Store the result of a mutant, and print a survivor."""
        seconds = round(time.monotonic() - self.began, 2)
        self.results[asked.mutant.module].keep(
            asked.mutant, noticed=noticed, how=how, tests=self._tests(asked), seconds=seconds
        )
        if not noticed:
            place = f"{path_of(asked.mutant.module).relative_to(ROOT)}:{asked.mutant.line}"
            print(f"{place} {asked.mutant.key} ({len(asked.tests)} tests) {how}", flush=True)

    def go(self) -> None:
        """Try every mutant without a known result."""
        files = sorted({test.partition("::")[0] for asked in self.left() for test in asked.tests})
        if files:
            plugin = Forking(self.left(), self.tell)
            pytest.main(["-s", *OPTIONS, *files], plugins=[plugin])

    def scores(self) -> list[str]:
        """The table of the scores."""
        lines = [f"{'module':44} mutants noticed  score  same"]
        for name, mutants in self.mutants.items():
            results = self.results[name].results
            tried = [mutant for mutant in mutants if mutant.key in results]
            noticed = sum(results[mutant.key]["noticed"] for mutant in tried)
            score = f"{100 * noticed / len(tried):5.1f} %" if tried else "      -"
            not_run = (
                f"  ({len(mutants) - len(tried)} not run)" if len(tried) < len(mutants) else ""
            )
            equal = len(reasons(name))
            lines.append(f"{name:44} {len(tried):7} {noticed:7} {score} {equal:5}{not_run}")
        return lines


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all of them without any")
    parser.add_argument("--only", default="", help="mutants whose description holds this text")
    parser.add_argument("--limit", type=int, help="mutants of each module; all without it")
    parser.add_argument(
        "--functions",
        action="store_true",
        help="leave out tables, decorators and bodies of classes, each of which takes minutes",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=float("inf"),
        help="of tests that are asked about a mutant, likely ones first; scores are lower bounds",
    )
    parser.add_argument("--scores", action="store_true", help="run nothing, tell what is known")
    options = parser.parse_args()
    names = options.modules or modules()
    if unknown := sorted(set(names) - set(modules())):
        parser.error(f"not mutated: {', '.join(unknown)}; see tests/mutants/targets.py")
    run = Run(
        names,
        only=options.only,
        limit=options.limit,
        functions=options.functions,
        seconds=options.seconds,
    )
    if not options.scores:
        run.go()
    print(*run.scores(), sep="\n")
    stale_entries = [f"{name}: {mutant}" for name in names for mutant in stale(name)]
    if stale_entries:
        print("same.toml names mutants that there are no longer:", *stale_entries, sep="\n")
    return 1 if stale_entries else 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.mutants [MODULE ...]``: how many small bugs the tests notice.

Goes on where it was stopped: what was noticed stays so until the module changes, what survived is
tried again when its tests have changed. What is the same program under another spelling stands in
``same.toml`` with the reason, and counts neither way. The modules take turns, each in the order of
a hash: a run that is stopped early, or has a limit, has tried a sample of as many mutants of every
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
    """What became of the mutants of one module; kept in ``var/mutants``."""

    def __init__(self, module: str) -> None:
        self.path = FOLDER / f"{module}.json"
        kept = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.source = digest(path_of(module))
        current = kept.get("source") == self.source
        self.found: dict[str, dict[str, Any]] = kept["found"] if current else {}

    def is_known(self, mutant: Mutant, tests: str) -> bool:
        """Whether the answer would be the same again."""
        known = self.found.get(mutant.key)
        return known is not None and (known["noticed"] or known["tests"] == tests)

    def keep(self, mutant: Mutant, **found: Any) -> None:
        """Note it, also for a run that is stopped here."""
        self.found[mutant.key] = found
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"source": self.source, "found": self.found}, indent=1))


def reasons(module: str) -> dict[str, str]:
    """The mutants that are the same program, and why."""
    entries = tomllib.loads(SAME.read_text()).get("same", [])
    mine = [one for one in entries if one["module"] == module]
    return {mutant: one["why"] for one in mine for mutant in one["mutants"]}


def stale(module: str) -> list[str]:
    """Entries of ``same.toml`` that no mutant answers to."""
    return sorted(set(reasons(module)) - {one.key for one in mutants_of(module)})


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
            name: [one for one in mutants_of(name) if one.key not in reasons(name)]
            for name in names
        }
        # In no order that means something: a run that is stopped has tried a fair sample.
        samples = [
            sorted(
                (
                    one
                    for one in self.mutants[name]
                    if only in one.key and (one.function or not functions)
                ),
                key=lambda one: sha256(one.key.encode()).digest(),
            )[:limit]
            for name in names
        ]
        in_turns = chain.from_iterable(zip_longest(*samples))
        self.asked = [self._asked(mutant) for mutant in in_turns if mutant is not None]
        self.began = time.monotonic()

    def _asked(self, mutant: Mutant) -> Asked:
        tests = self.reach.asked(mutant.module, mutant.line, called=bool(mutant.function))
        return Asked(mutant, tests, self.reach.seconds(tests))

    def _tests(self, one: Asked) -> str:
        """The tests as they are now, in few characters."""
        files = sorted({test.partition("::")[0] for test in one.tests})
        known = [*sorted(one.tests), *(self.reach.files[file] for file in files)]
        return sha256("\n".join(known).encode()).hexdigest()[:16]

    def left(self) -> Iterator[Asked]:
        """What is not known yet."""
        for one in self.asked:
            if not self.results[one.mutant.module].is_known(one.mutant, self._tests(one)):
                self.began = time.monotonic()
                first = self._likely(one)
                tests = sorted(one.tests, key=lambda test: -first[test])
                yield replace(one, tests=self.reach.within(self.seconds, tests))

    def _likely(self, one: Asked) -> Counter[str]:
        """How often each test has noticed a mutant of the module, and of the same function."""
        often: Counter[str] = Counter()
        for key, known in self.results[one.mutant.module].found.items():
            if known["noticed"]:
                often[known["how"]] += 10 if key.startswith(f"{one.mutant.function}: ") else 1
        return often

    def tell(self, one: Asked, noticed: bool, how: str) -> None:
        """Keep what became of a mutant, and say so of a survivor."""
        seconds = round(time.monotonic() - self.began, 2)
        self.results[one.mutant.module].keep(
            one.mutant, noticed=noticed, how=how, tests=self._tests(one), seconds=seconds
        )
        if not noticed:
            where = f"{path_of(one.mutant.module).relative_to(ROOT)}:{one.mutant.line}"
            print(f"{where} {one.mutant.key} ({len(one.tests)} tests) {how}", flush=True)

    def go(self) -> None:
        """Try every mutant that is not known yet."""
        files = sorted({test.partition("::")[0] for one in self.left() for test in one.tests})
        if files:
            plugin = Forking(self.left(), self.tell)
            pytest.main(["-s", *OPTIONS, *files], plugins=[plugin])

    def scores(self) -> list[str]:
        """The table, and what survived."""
        lines = [f"{'module':44} mutants noticed  score  same"]
        for name, mutants in self.mutants.items():
            found = self.results[name].found
            known = [one for one in mutants if one.key in found]
            noticed = sum(found[one.key]["noticed"] for one in known)
            score = f"{100 * noticed / len(known):5.1f} %" if known else "      -"
            rest = f"  ({len(mutants) - len(known)} not run)" if len(known) < len(mutants) else ""
            same = len(reasons(name))
            lines.append(f"{name:44} {len(known):7} {noticed:7} {score} {same:5}{rest}")
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
    given = parser.parse_args()
    names = given.modules or modules()
    if unknown := sorted(set(names) - set(modules())):
        parser.error(f"not mutated: {', '.join(unknown)}; see tests/mutants/targets.py")
    run = Run(
        names,
        only=given.only,
        limit=given.limit,
        functions=given.functions,
        seconds=given.seconds,
    )
    if not given.scores:
        run.go()
    print(*run.scores(), sep="\n")
    old = [f"{name}: {one}" for name in names for one in stale(name)]
    if old:
        print("same.toml names mutants that there are no longer:", *old, sep="\n")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())

"""Each mutant in a process forked from one that has collected the tests and migrated a database.

A mutant in a function is put in by giving the function another code object, so that every module
that has imported it runs the mutant. One in a table of the module is put in by evaluating the table
again and rebinding the name wherever it was imported. Other mutants (decorators, bodies of classes)
are imported by a process of their own, which takes seconds instead of a tenth of a second.

A failed test counts only if it passes after the same other tests with the unchanged source: each
list of tests that ends in a failure is also run like this once, as a control.
"""

from __future__ import annotations

import ast
import functools
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from django.db import connection

from tests.mutants.making import ROOT, Mutant, path_of
from tests.mutants.reach import OPTIONS
from tests.mutants.swapped import FAILED, PLACE

KILLED, SURVIVED, NOT_PUT_IN = 1, 0, 3
# Seconds after which one test counts as hanging; no test takes so long.
LONGEST_TEST = 60
PACKAGES = ("erpbridge", "directory", "admin_wbs", "erp_integrations")


@dataclass(frozen=True)
class Asked:
    """A mutant, the tests that may notice it, and the seconds that they take without it."""

    mutant: Mutant
    tests: Sequence[str]
    seconds: float

    @property
    def patience(self) -> float:
        """Seconds after which the tests as a whole count as hanging, so the mutant as noticed."""
        return 20 + 10 * self.seconds


Tell = Callable[[Asked, bool, str], None]


class Forking:
    """A pytest plugin that runs mutants in place of the tests."""

    def __init__(self, asked: Iterable[Asked], tell: Tell) -> None:
        self.asked, self.tell = asked, tell
        self.items: dict[str, pytest.Item] = {}
        self.session: Any = None
        self.controls: dict[tuple[str, str, tuple[str, ...]], tuple[bool, str]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        self._set_up()
        for asked in self.asked:
            self.tell(asked, *self._noticed(asked))
        return True

    def _set_up(self) -> None:
        """Run one test, to create the database and everything else of the session's scope."""
        # Imported here: pytest rewrites its plugin while it starts.
        from hypothesis import settings

        settings.register_profile("mutants", settings.get_profile("repeatable"), database=None)
        settings.load_profile("mutants")
        items = self.session.items
        first_test = next(item for item in items if "account" in getattr(item, "fixturenames", ()))
        # With a following test, objects with the scope of the session are kept.
        following = next(item for item in items if item is not first_test)
        reports = runtestprotocol(first_test, nextitem=following, log=False)
        assert all(report.passed for report in reports), reports
        connection.close()
        alive = gc.get_objects()
        self.functions = _functions(alive)
        # Not isinstance(), which would evaluate lazy objects.
        caches = [report for report in alive if type(report) is functools._lru_cache_wrapper]
        self.caches = [report for report in caches if _is_ours(report.__module__)]
        # A child that collects garbage would copy every page of its parent.
        gc.freeze()

    def _noticed(self, asked: Asked) -> tuple[bool, str]:
        """Whether a test failed that passes without the mutant; and its name, or the reason."""
        if not asked.tests:
            return False, "no test that passes without it reaches it"
        failed, how = self._failed(asked)
        if not failed:
            return False, how
        at = asked.tests.index(how) + 1 if how in asked.tests else None
        failed_too, failed_test = self._control(replace(asked, tests=asked.tests[:at]))
        if not failed_too:
            return True, how
        if failed_test not in asked.tests:
            return False, f"without it too: {failed_test}"
        return self._noticed(
            replace(asked, tests=[test for test in asked.tests if test != failed_test])
        )

    def _control(self, asked: Asked) -> tuple[bool, str]:
        """The same with the unchanged source, once for each list of tests."""
        key = (asked.mutant.module, asked.mutant.function, tuple(asked.tests))
        if key not in self.controls:
            source = path_of(asked.mutant.module).read_text()
            failed = self._failed(replace(asked, mutant=replace(asked.mutant, source=source)))
            self.controls[key] = failed
            if failed[0]:
                print(f"Fails without a mutant too: {failed[1]}", flush=True)
        return self.controls[key]

    def _failed(self, asked: Asked) -> tuple[bool, str]:
        """Whether a test failed; and its name, or the reason."""
        status, test = self._fork(asked)
        if status == KILLED:
            return True, test or "the process died"
        if status is None:
            return True, "the tests did not end"
        if status == SURVIVED and asked.mutant.function:
            return False, ""
        # It could not be put in; or it is in a table that other modules read on their import.
        return in_a_fresh_process(asked)

    def _fork(self, asked: Asked) -> tuple[int | None, str]:
        """The exit code of the forked process, None if it did not end in time; the failed test."""
        with tempfile.TemporaryDirectory() as folder:
            pid = os.fork()
            if pid == 0:
                try:
                    os._exit(self._in_child(asked, Path(folder)))
                finally:
                    os._exit(KILLED)
            until = time.monotonic() + asked.patience
            while time.monotonic() < until:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    code = os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else KILLED
                    failed = Path(folder, FAILED)
                    return code, failed.read_text() if failed.exists() else ""
                time.sleep(0.005)
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return None, ""

    def _in_child(self, asked: Asked, folder: Path) -> int:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        copy = shutil.copy(connection.settings_dict["NAME"], folder / "database.sqlite3")
        connection.settings_dict["NAME"] = str(copy)
        if not self._put_in(asked.mutant):
            return NOT_PUT_IN
        items = [self.items[test] for test in asked.tests]
        self.session._setupstate.teardown_exact(items[0])
        for item, following in zip(items, [*items[1:], None], strict=True):
            _end_after(LONGEST_TEST, Path(folder, FAILED), item.nodeid)
            if any(report.failed for report in runtestprotocol(item, False, following)):
                Path(folder, FAILED).write_text(item.nodeid)
                return KILLED
        return SURVIVED

    def _put_in(self, mutant: Mutant) -> bool:
        for cached in self.caches:
            cached.cache_clear()
        if mutant.function:
            return self._swap_code(mutant)
        return _rebind(mutant)

    def _swap_code(self, mutant: Mutant) -> bool:
        file = str(path_of(mutant.module))
        swapped = 0
        # Functions that it made on an import, such as a rule or a wrapper, change too.
        inner = f"{mutant.function}.<locals>."
        for code in _codes(compile(mutant.source, file, "exec", dont_inherit=True)):
            if code.co_qualname != mutant.function and not code.co_qualname.startswith(inner):
                continue
            for function in self.functions[file, code.co_qualname, code.co_firstlineno]:
                if function.__code__.co_freevars != code.co_freevars:
                    return False
                function.__code__ = code
                swapped += 1
        return swapped > 0


def _end_after(seconds: int, file: Path, test: str) -> None:
    """End this process with the test as the failed one, unless called again before that."""

    def end(*_args: object) -> None:
        file.write_text(test)
        os._exit(KILLED)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)


def _is_ours(name: str | None) -> bool:
    return (name or "").partition(".")[0] in PACKAGES


def _functions(alive: Iterable[object]) -> dict[tuple[str, str, int], list[FunctionType]]:
    """Every existing function, by the place of its definition."""
    functions: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    for value in alive:
        if type(value) is FunctionType:
            code = value.__code__
            functions[code.co_filename, code.co_qualname, code.co_firstlineno].append(value)
    return functions


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _rebind(mutant: Mutant) -> bool:
    """Evaluate a table of a module again, and rebind its name in every module that imported it."""
    module = sys.modules[mutant.module]
    for node in ast.parse(mutant.source).body:
        if not node.lineno <= mutant.line <= (node.end_lineno or 0):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        if not isinstance(target, ast.Name):
            return False
        old_value, space = getattr(module, target.id), dict(vars(module))
        exec(compile(ast.Module([node], []), "mutant", "exec"), space)
        for importer in [module for name, module in sys.modules.items() if _is_ours(name)]:
            if vars(importer).get(target.id) is old_value:
                setattr(importer, target.id, space[target.id])
        return True
    return False


def in_a_fresh_process(asked: Asked) -> tuple[bool, str]:
    """The same in a process that imports the mutated module."""
    with tempfile.TemporaryDirectory() as folder:
        source, tests = Path(folder) / "mutant.py", Path(folder) / "tests.txt"
        source.write_text(asked.mutant.source)
        tests.write_text("\n".join(asked.tests))
        command = [sys.executable, "-m", "pytest", "-x", "-p", "tests.mutants.swapped", *OPTIONS]
        process = Popen(
            [*command, f"@{tests}"],
            cwd=ROOT,
            env=os.environ | {PLACE: f"{asked.mutant.module}={source}"},
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=60 + asked.patience)
        except TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True, "the tests did not end"
        failed = Path(folder, FAILED)
        if failed.exists():
            return True, failed.read_text()
    # Without a failed test pytest itself ended early, so nothing was noticed.
    return False, f"in a fresh process, which ended with {code}"

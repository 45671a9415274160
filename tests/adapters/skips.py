"""No test is skipped but the cases of the conformance kit in ``not_shown.txt``, with their reasons.

A skip that is not in the file fails, and so does a case of the file that is no longer skipped.
After a change that is meant, ``ERPBRIDGE_NOT_SHOWN=write pytest tests/adapters`` writes the file.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("not_shown.txt")
WRITING = os.environ.get("ERPBRIDGE_NOT_SHOWN") == "write"
HEADING = "# Cases of the conformance kit that cannot be shown, and why; see skips.py.\n"
PLACE = "tests/adapters/"


def read(text: str) -> dict[str, str]:
    """Case -> reason. Every line is ``file::class::case: reason``."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(": ", 1) for line in lines)


def written(reasons: Mapping[str, str]) -> str:
    """The file for these cases."""
    return HEADING + "".join(f"{case}: {reason}\n" for case, reason in sorted(reasons.items()))


def objection(case: str, reason: str | None, allowed: Mapping[str, str]) -> str:
    """What is wrong with the end of a test, or nothing.

    :param reason: why it was skipped; None if it passed.
    """
    if reason == allowed.get(case):
        return ""
    if reason is None:
        return f"{case} is in {FILE.name}, but it passes. Remove it there."
    return f"{case} is skipped, but not in {FILE.name} with this reason: {reason}"


def reason_of(report: Any) -> str:
    """Why a test was skipped."""
    return str(report.longrepr[2]).removeprefix("Skipped: ")


ALLOWED = read(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that is skipped, or not skipped, against the file."""
    report: pytest.TestReport = yield
    if WRITING or report.failed or (report.when != "call" and report.passed):
        return report
    reason = reason_of(report) if report.skipped else None
    text = objection(item.nodeid.removeprefix(PLACE), reason, ALLOWED)
    if text:
        report.outcome, report.longrepr = "failed", text
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the file anew, if asked to: what did not run stays as it is."""
    if not WRITING:
        return
    stats = terminalreporter.stats
    reports = [*stats.get("passed", []), *stats.get("skipped", [])]
    ran = {report.nodeid.removeprefix(PLACE) for report in reports if report.when == "call"}
    kept = {case: reason for case, reason in ALLOWED.items() if case not in ran}
    skipped = {
        report.nodeid.removeprefix(PLACE): reason_of(report) for report in stats.get("skipped", [])
    }
    FILE.write_text(written(kept | skipped), encoding="utf-8")

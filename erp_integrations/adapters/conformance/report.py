"""The list, at the end of a run, of what an adapter's harness could not be made to show."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from erp_integrations.adapters.conformance.harness import CannotShow

NAME = "erpbridge-conformance"


LABEL = "conformance: could not be shown"


class NotShown:
    """A pytest plugin that lists, after the run, every :class:`CannotShow` and its reason.

    Such a case neither fails nor counts as skipped: that it cannot be shown is what was found out.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """The case itself; a reason travels with its report, also from another process."""
        try:
            return (yield)
        except CannotShow as reason:
            item.user_properties.append((LABEL, str(reason)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was not shown, whatever the options of the run."""
        reports = terminalreporter.stats.get("passed", [])
        found = [
            (report.nodeid, reason)
            for report in reports
            for label, reason in report.user_properties
            if label == LABEL
        ]
        if found:
            terminalreporter.section(LABEL)
            for case, reason in found:
                terminalreporter.line(f"{case}: {reason}")


def watch(config: pytest.Config) -> None:
    """List what cannot be shown at the end of this run."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(NotShown(), NAME)

"""Pytest plugin that lists, at the end of a run, the cases that a harness cannot show."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from erp_integrations.adapters.conformance.harness import CannotShow

NAME = "erpbridge-conformance"
LABEL = "conformance: could not be shown"


class NotShown:
    """Lists every case that raised :class:`CannotShow`, with the reason. Such a case passes."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run the case; the reason is stored in its report, which also works with pytest-xdist."""
        try:
            return (yield)
        except CannotShow as reason:
            item.user_properties.append((LABEL, str(reason)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the list, independent of pytest's reporting options."""
        reports = terminalreporter.stats.get("passed", [])
        cases = [
            (report.nodeid, reason)
            for report in reports
            for label, reason in report.user_properties
            if label == LABEL
        ]
        if cases:
            terminalreporter.section(LABEL)
            for case, reason in cases:
                terminalreporter.line(f"{case}: {reason}")


def watch(config: pytest.Config) -> None:
    """Register the plugin for this run."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(NotShown(), NAME)

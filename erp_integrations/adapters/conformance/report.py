"""Pytest plugin that skips the cases that a harness cannot show, and lists them at the end."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from erp_integrations.adapters.conformance.harness import CannotShow

NAME = "erpbridge-conformance"
LABEL = "conformance: could not be shown"


class NotShown:
    """Skips every case that raises :class:`CannotShow`, and lists them with the reason."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run the case; the reason is stored in its report, which also works with pytest-xdist."""
        try:
            return (yield)
        except CannotShow as reason:
            item.user_properties.append((LABEL, str(reason)))
            pytest.skip(str(reason))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the list and a count, independent of pytest's reporting options."""
        cases = [
            (report.nodeid, reason)
            for report in terminalreporter.stats.get("skipped", [])
            for label, reason in report.user_properties
            if label == LABEL
        ]
        if cases:
            terminalreporter.section(LABEL)
            for case, reason in cases:
                terminalreporter.line(f"{case}: {reason}")
            noun = "case" if len(cases) == 1 else "cases"
            terminalreporter.line(f"{len(cases)} {noun} could not be shown.")


def watch(config: pytest.Config) -> None:
    """Register the plugin for this run."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(NotShown(), NAME)

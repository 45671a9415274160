"""The list, at the end of a run, of what an adapter's harness could not be made to show."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from erp_integrations.adapters.conformance.harness import CannotShow

NAME = "erpbridge-conformance"


class NotShown:
    """A pytest plugin that turns :class:`CannotShow` into a skip, and lists every one."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """The case itself."""
        try:
            return (yield)
        except CannotShow as reason:
            self.reasons.append((item.nodeid, str(reason)))
            pytest.skip(f"cannot be shown: {reason}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was not shown, whatever the options of the run."""
        if self.reasons:
            terminalreporter.section("conformance: could not be shown")
            for case, reason in self.reasons:
                terminalreporter.line(f"{case}: {reason}")


def watch(config: pytest.Config) -> None:
    """List what cannot be shown at the end of this run."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(NotShown(), NAME)

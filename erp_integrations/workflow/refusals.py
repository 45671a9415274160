"""Errors of the services that decide about items. If one is raised, nothing was changed."""

from __future__ import annotations

from collections.abc import Iterable

from erp_integrations.adapters.base import Problem
from erpbridge.refusals import Refused


class MovedOn(Refused):
    """The item has changed its state meanwhile, by another user or the engine."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else, or the export, has changed its state. Check its current state."
        )


class NotTaken(Refused):
    """The decision is not possible; ``problems`` has all reasons with their fields."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))

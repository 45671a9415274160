"""What the services that decide about items raise; nothing was changed then."""

from __future__ import annotations

from collections.abc import Iterable

from erp_integrations.adapters.base import Problem
from erpbridge.refusals import Refused


class MovedOn(Refused):
    """Somebody else, or the engine, was faster."""

    def __init__(self) -> None:
        super().__init__("Somebody else, or the engine, has moved it on. Look at it as it is now.")


class NotTaken(Refused):
    """The item cannot be decided so; ``problems`` names each field."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))

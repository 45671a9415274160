"""What an import would do with each row of a file, before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar, Generic, Protocol, TypeVar


class PlannedRow(Protocol):
    """A row of a file, with what would happen to it."""

    @property
    def state(self) -> StrEnum:
        """The state of the row."""


P = TypeVar("P", bound=PlannedRow)


@dataclass(frozen=True)
class FilePlan(Generic[P]):
    """All rows of a file; ``states`` has the order of the preview."""

    states: ClassVar[type[StrEnum]]

    rows: list[P]

    @cached_property
    def counts(self) -> Counter[StrEnum]:
        """Number of rows per state."""
        return Counter(planned.state for planned in self.rows)

    def of_state(self, state: StrEnum | None) -> list[P]:
        """The rows of one state, or all rows in the order of the states."""
        if state is not None:
            return [planned for planned in self.rows if planned.state == state]
        order = list(self.states)
        return sorted(self.rows, key=lambda planned: order.index(planned.state))


def digest(facts: object) -> str:
    """A fingerprint that changes with the facts."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

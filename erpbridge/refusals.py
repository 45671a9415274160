"""What services raise for a change that they reject, and what bulk services return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

# Of a value that only one record can have.
TAKEN = "has already been taken"


class Refused(Exception):
    """Nothing was changed; the message says why, and can be shown to the person."""


@dataclass(frozen=True)
class Left:
    """A record that a bulk action left as it was, and why."""

    record_id: int
    label: str
    why: str


RefusalT = TypeVar("RefusalT")


@dataclass(frozen=True)
class BulkResult(Generic[RefusalT]):
    """The result of a bulk action: how many records were changed, and the ones that were not."""

    done: int
    refused: tuple[RefusalT, ...] = ()

    def __add__(self, other: BulkResult[RefusalT]) -> BulkResult[RefusalT]:
        return BulkResult(self.done + other.done, self.refused + other.refused)

"""Plan what an import would do with each row, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from django.db.models import TextChoices

from directory.importing.look_alikes import Match, matches
from directory.importing.validate import Row, check
from erpbridge.access.models import Account, Project
from erpbridge.files.table import Line
from erpbridge.imports.plans import FilePlan, digest


class LookAlikes(TextChoices):
    """What to do with rows that look like an existing company or an earlier row."""

    EXACT = "exact", "Leave out exact duplicates, create the other look-alikes"
    SKIP = "skip", "Leave out all look-alikes"
    CREATE = "create", "Create look-alikes as well"


class State(StrEnum):
    """The state of a row, independent of the person's choices; in the order of the preview."""

    ERROR = "error"
    DUPLICATE = "duplicate"
    LOOK_ALIKE = "look-alike"
    PERSON = "person"
    NEW = "new"


class Fate(StrEnum):
    """What happens to a row."""

    CREATE = "create"
    PLACE = "place"
    LEAVE_OUT = "leave out"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Choice:
    """The person's choices for the whole file; ``place`` adds exact matches to the project."""

    look_alikes: LookAlikes = LookAlikes.EXACT
    place: bool = True


@dataclass(frozen=True)
class Planned:
    """A row and the company that it looks like."""

    row: Row
    match: Match | None = None

    @property
    def state(self) -> State:
        """The state of the row."""
        if self.row.problems:
            return State.ERROR
        if self.row.is_person:
            return State.PERSON
        if self.match is None:
            return State.NEW
        return State.DUPLICATE if self.match.exact else State.LOOK_ALIKE

    @property
    def can_be_placed(self) -> bool:
        """True for an exact match with an active company that is not on the project."""
        match = self.match
        if self.state != State.DUPLICATE or match is None or match.company_id is None:
            return False
        return match.is_active and not match.on_project

    @property
    def reason(self) -> str:
        """Why the row is not simply new; empty if it is."""
        if self.row.problems:
            return " ".join(problem.message for problem in self.row.problems)
        if self.row.is_person:
            return "This row is a person, not a company."
        if self.match is None:
            return ""
        inactive = "" if self.match.is_active else " (inactive)"
        placed = " It is on the project already." if self.match.on_project else ""
        return f"Looks like {self.match.label}{inactive}: {self.match.why}.{placed}"


@dataclass(frozen=True)
class Plan(FilePlan[Planned]):
    """All rows of a file with one column mapping."""

    states = State

    columns: Mapping[str, str]
    country: str
    on_project: bool

    @property
    def default(self) -> LookAlikes | None:
        """The default choice; None if the person must choose."""
        # Nothing is decided for the person where a row is doubtful.
        return None if self.counts[State.LOOK_ALIKE] else LookAlikes.EXACT

    @property
    def placeable(self) -> int:
        """Number of rows that are existing companies to add to the project."""
        return sum(planned.can_be_placed for planned in self.rows) if self.on_project else 0

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the mapping, and with the companies that the rows match."""
        # The rows themselves cannot change: they are stored with the upload.
        facts = [
            [sorted(self.columns.items()), self.country],
            [(planned.row.line, planned.state, planned.can_be_placed) for planned in self.rows],
        ]
        return digest(facts)

    def fate(self, planned: Planned, choice: Choice) -> Fate:
        """What happens to a row under a choice."""
        if planned.state == State.ERROR:
            return Fate.REFUSE
        if planned.state == State.NEW:
            return Fate.CREATE
        if planned.state == State.PERSON:
            return Fate.LEAVE_OUT
        if self.on_project and choice.place and planned.state == State.DUPLICATE:
            if planned.can_be_placed:
                return Fate.PLACE
            # An inactive match, or an earlier row of the file, is treated below as any other
            # look-alike.
            if planned.match and planned.match.on_project:
                return Fate.LEAVE_OUT
        left_out = {
            LookAlikes.CREATE: (),
            LookAlikes.EXACT: (State.DUPLICATE,),
            LookAlikes.SKIP: (State.DUPLICATE, State.LOOK_ALIKE),
        }[choice.look_alikes]
        return Fate.LEAVE_OUT if planned.state in left_out else Fate.CREATE

    def fates(self, choice: Choice) -> Counter[Fate]:
        """Number of rows per fate under a choice."""
        return Counter(self.fate(planned, choice) for planned in self.rows)


def make(
    lines: Sequence[Line],
    columns: Mapping[str, str],
    *,
    account: Account,
    project: Project | None,
    country: str = "",
) -> Plan:
    """Check every line and look for similar companies.

    :param country: country code for rows without one; empty to leave it open.
    """
    rows = list(check(lines, columns, country=country))
    best = matches(rows, account=account, project=project)
    planned = [Planned(row, best.get(row.line)) for row in rows]
    return Plan(planned, columns, country, on_project=project is not None)

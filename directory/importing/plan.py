"""What an import would do with each row, before anything is written."""

from __future__ import annotations

import hashlib
import json
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


class LookAlikes(TextChoices):
    """What to do with rows that look like a company that exists, or like an earlier row."""

    EXACT = "exact", "Leave out exact duplicates, create the other look-alikes"
    SKIP = "skip", "Leave out all look-alikes"
    CREATE = "create", "Create look-alikes as well"


class State(StrEnum):
    """What a row is, whatever the person chooses; in the order of the preview."""

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
    """What the person decides for the whole file; ``place`` puts exact matches on the project."""

    look_alikes: LookAlikes = LookAlikes.EXACT
    place: bool = True


@dataclass(frozen=True)
class Planned:
    """A row and the company it looks like."""

    row: Row
    match: Match | None = None

    @property
    def state(self) -> State:
        """What the row is."""
        if self.row.problems:
            return State.ERROR
        if self.row.is_person:
            return State.PERSON
        if self.match is None:
            return State.NEW
        return State.DUPLICATE if self.match.exact else State.LOOK_ALIKE

    @property
    def can_be_placed(self) -> bool:
        """Whether an active company of the account is exactly this one, and not on the project."""
        match = self.match
        if self.state != State.DUPLICATE or match is None or match.company_id is None:
            return False
        return match.is_active and not match.on_project

    @property
    def reason(self) -> str:
        """Why the row is not simply new; empty where it is."""
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
class Plan:
    """All rows of a file under one mapping."""

    rows: list[Planned]
    columns: Mapping[str, str]
    country: str
    on_project: bool

    @cached_property
    def counts(self) -> Counter[State]:
        """Rows per state."""
        return Counter(one.state for one in self.rows)

    @property
    def default(self) -> LookAlikes | None:
        """What is done unless the person says otherwise; None where they have to be asked."""
        return None if self.counts[State.LOOK_ALIKE] else LookAlikes.EXACT

    @property
    def placeable(self) -> int:
        """How many rows are companies that the project could simply be given."""
        return sum(one.can_be_placed for one in self.rows) if self.on_project else 0

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the mapping and with what the rows would meet in the account now."""
        facts = [
            [sorted(self.columns.items()), self.country],
            [(one.row.line, one.state, one.can_be_placed) for one in self.rows],
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]

    def fate(self, one: Planned, choice: Choice) -> Fate:
        """What happens to a row under a choice."""
        if one.state == State.ERROR:
            return Fate.REFUSE
        if one.state == State.NEW:
            return Fate.CREATE
        if one.state == State.PERSON:
            return Fate.LEAVE_OUT
        if self.on_project and choice.place and one.state == State.DUPLICATE:
            if one.can_be_placed:
                return Fate.PLACE
            if one.match and one.match.on_project:
                return Fate.LEAVE_OUT
        left_out = {
            LookAlikes.CREATE: (),
            LookAlikes.EXACT: (State.DUPLICATE,),
            LookAlikes.SKIP: (State.DUPLICATE, State.LOOK_ALIKE),
        }[choice.look_alikes]
        return Fate.LEAVE_OUT if one.state in left_out else Fate.CREATE

    def fates(self, choice: Choice) -> Counter[Fate]:
        """Rows per fate under a choice."""
        return Counter(self.fate(one, choice) for one in self.rows)

    def of_state(self, state: State | None) -> list[Planned]:
        """The rows of one state, or all, what needs a look first."""
        if state is not None:
            return [one for one in self.rows if one.state == state]
        order = list(State)
        return sorted(self.rows, key=lambda one: order.index(one.state))


def make(
    lines: Sequence[Line],
    columns: Mapping[str, str],
    *,
    account: Account,
    project: Project | None,
    country: str = "",
) -> Plan:
    """Check every line and look for companies like it.

    :param country: the code of the country of rows that give none; empty to leave it open.
    """
    rows = list(check(lines, columns, country=country))
    found = matches(rows, account=account, project=project)
    planned = [Planned(row, found.get(row.line)) for row in rows]
    return Plan(planned, columns, country, on_project=project is not None)

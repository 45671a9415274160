"""Plan what an import would do with each row, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from admin_wbs.importing import validate
from admin_wbs.importing.columns import Layout
from admin_wbs.importing.validate import Key, Row
from admin_wbs.models import CodeList
from admin_wbs.models.full_code import full_code
from erp_integrations import sendable
from erpbridge.db.text import key, keys
from erpbridge.files.errors import Refused
from erpbridge.files.table import Line
from erpbridge.imports.plans import FilePlan, digest

LOCKED = (
    "waits for accounting or is being exported, so its description stays “{}”. Retrieve it first."
)


class State(StrEnum):
    """The state of a row; in the order of the preview."""

    ERROR = "error"
    CHANGED = "changed"
    NEW = "new"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Known:
    """A code that the list has already."""

    pk: int
    description: str
    path: Sequence[str]
    locked: bool

    @property
    def key(self) -> Key:
        """The path in its comparable form."""
        return keys(self.path)


@dataclass(frozen=True)
class Planned:
    """A row, and the existing code that it matches."""

    row: Row
    known: Known | None = None

    @property
    def state(self) -> State:
        """The state of the row."""
        if self.row.problems:
            return State.ERROR
        if self.known is None:
            return State.NEW
        same = self.known.description == self.row.description
        return State.UNCHANGED if same else State.CHANGED

    @property
    def reason(self) -> str:
        """The errors, or the change; empty if there is neither."""
        if self.state == State.CHANGED and self.known:
            return f"Was “{self.known.description}”."
        return " ".join(self.row.problems)


@dataclass(frozen=True)
class Plan(FilePlan[Planned]):
    """All rows of a file, compared with the list as it is now."""

    states = State

    @property
    def usable(self) -> int:
        """Number of rows that would change the list."""
        return self.counts[State.NEW] + self.counts[State.CHANGED]

    @cached_property
    def fingerprint(self) -> str:
        """Changes if the rows would do something else."""
        # With the reason, which holds the old description: a change of what is overwritten counts
        # too.
        facts = [
            (planned.row.line, planned.row.key, planned.state, planned.reason)
            for planned in self.rows
        ]
        return digest(facts)

    @property
    def refused(self) -> list[Refused]:
        """The rows with errors."""
        return [
            Refused(planned.row.line, planned.row.cells, planned.reason)
            for planned in self.of_state(State.ERROR)
        ]


def make(
    code_list: CodeList,
    lines: Sequence[Line],
    layout: Layout,
    *,
    header: Sequence[str],
    delimiter: str,
) -> Plan:
    """Check every line and compare it with the list; two queries for any number of rows."""
    rows = validate.check(lines, layout, header=header, delimiter=delimiter)
    codes = _codes_of(code_list)
    for row in rows:
        if row.path and not row.problems:
            _compare(row, codes.get(key(full_code(row.path))))
    # Last, because an error that the comparison has found is one of the codes under it too.
    _find_orphans(rows, {code.key for code in codes.values()})
    return Plan([Planned(row, codes.get(key(full_code(row.path)))) for row in rows])


def _codes_of(code_list: CodeList) -> dict[str, Known]:
    """Key of a full code -> the list's code."""
    locked = set(code_list.codes.filter(sendable.locked()).values_list("pk", flat=True))
    rows = code_list.codes.values_list("code_key", "pk", "description", "path")
    return {code: Known(pk, text, path, pk in locked) for code, pk, text, path in rows}


def _compare(row: Row, known: Known | None) -> None:
    if known is None:
        return
    code = full_code(row.path)
    if known.key != row.key:
        tiers = " + ".join(known.path)
        row.problems.append(f"{code} is taken: the list has it in the tiers {tiers}.")
    elif known.locked and known.description != row.description:
        row.problems.append(f"{code} {LOCKED.format(known.description)}")


def _find_orphans(rows: Sequence[Row], existing: set[Key]) -> None:
    """Each row needs its parent in the list, or as another row without errors."""
    # Reversed, so that the first of several equal rows is the parent.
    lines: Mapping[Key, Row] = {row.key: row for row in reversed(rows) if row.path}
    # Parents first, because an error of a parent is one of its children too.
    for row in sorted(rows, key=lambda item: len(item.path)):
        parent_key = row.key[:-1]
        # A path with a gap has an error of its own already.
        if not parent_key or parent_key in existing or not all(row.path):
            continue
        name = full_code(row.path[:-1])
        parent = lines.get(parent_key)
        if parent is None:
            row.problems.append(
                f"Its parent {name} is missing. Every code needs a row of its own: add one for "
                f"{name}."
            )
        elif parent.problems:
            row.problems.append(f"Its parent {name}, on line {parent.line}, has an error.")

"""What a refresh from the ERP would change of a list of cost codes; decides, and writes nothing.

Where the ERP owns the codes, the list follows it: new codes, changed ones, and those that the ERP
no longer has become inactive. Where it does not, only codes that are new here, or the same on
both sides, are taken; everything else is decided by sending.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import (
    LONGEST_CODE,
    LONGEST_DESCRIPTION,
    MOST_TIERS,
    full_code,
    sort_path,
)
from erp_integrations import sendable
from erp_integrations.sendable import ErpRow
from erpbridge.db.text import DIRECTION_CONTROLS, is_storable, key, one_line


class Fate(StrEnum):
    """What becomes of a code. SAME: it is on both sides, and is linked."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    LEFT = "left"


@dataclass(frozen=True)
class Held:
    """A code of the ERP in our words, or why it cannot be one."""

    erp_id: str
    path: tuple[str, ...]
    description: str
    is_active: bool
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """A code that the refresh touches, or has to leave."""

    fate: Fate
    path: tuple[str, ...]
    description: str
    erp_id: str = ""
    code_id: int = 0
    is_active: bool = True
    why: str = ""

    @property
    def label(self) -> str:
        """Code and description as they will be."""
        return f"{full_code(self.path)} {self.description}".strip()


@dataclass(frozen=True)
class Plan:
    """Every row, in the order of the tree."""

    rows: tuple[Row, ...]
    # Of what the ERP said; a job that applies the plan in chunks stops where it changes.
    erp_digest: str

    @cached_property
    def counts(self) -> Counter[Fate]:
        """How many of each fate."""
        return Counter(row.fate for row in self.rows)

    @property
    def to_do(self) -> int:
        """How many rows applying it changes."""
        return len(self.rows) - self.counts[Fate.LEFT]

    def of(self, fate: Fate | None) -> list[Row]:
        """The rows of one fate, or all."""
        return [row for row in self.rows if fate is None or row.fate == fate]

    def without(self, done: Iterable[Row]) -> Plan:
        """The plan once some of its rows are carried out."""
        gone = set(done)
        return replace(self, rows=tuple(row for row in self.rows if row not in gone))

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever anything of the plan does."""
        rows = [[row.fate, row.path, row.description, row.code_id, row.why] for row in self.rows]
        return _digest([self.erp_digest, rows])


def plan_of(found: CodeList) -> Plan:
    """What a refresh would do to the list now; a fixed number of queries."""
    held = held_codes(sendable.erp_records(found.account_id, list_services.CODE))
    present = sendable.connected(found.account_id, list_services.CODE)
    owned = present is not None and present.erp_owns
    codes = list(CostCode.objects.filter(list=found).order_by("sort_path"))
    locked = set(found.codes.filter(sendable.locked()).values_list("pk", flat=True))
    linked = sendable.linked_ids(found.account_id, list_services.CODE)
    rows = _Comparison(held, codes, linked, locked, owned=owned).rows()
    rows.sort(key=lambda row: (sort_path(row.path), row.erp_id))
    return Plan(tuple(rows), _digest([[one.erp_id, *_facts(one)] for one in held]))


def _facts(one: Held) -> list[Any]:
    return [one.path, one.description, one.is_active, one.problem]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def held_codes(rows: Sequence[ErpRow]) -> list[Held]:
    """The ERP's codes in our words, each placed by the chain of the codes above it."""
    by_id = {row.erp_id: row for row in rows}
    placed: dict[str, Held] = {}
    return [_held(row, by_id, placed, frozenset()) for row in rows]


def _held(
    row: ErpRow, by_id: Mapping[str, ErpRow], placed: dict[str, Held], below: frozenset[str]
) -> Held:
    if row.erp_id in placed:
        return placed[row.erp_id]
    parent_id = str(row.data.get("parent") or "")
    above = by_id.get(parent_id)
    parent = None
    problem = ""
    if above is not None and row.erp_id not in below and len(below) <= MOST_TIERS:
        parent = _held(above, by_id, placed, below | {row.erp_id})
        problem = parent.problem and "The code above it cannot be taken."
    elif parent_id:
        problem = "The ERP names a code above it that it does not have, or one below it."
    path = (*(parent.path if parent else ()), one_line(_own_code(row, above)))
    description = one_line(str(row.data.get("description") or row.data.get("name") or ""))
    active = row.data.get("is_active") is not False and (parent is None or parent.is_active)
    problem = problem or _problem(path, description)
    placed[row.erp_id] = Held(row.erp_id, path, description, bool(active), problem)
    return placed[row.erp_id]


def _own_code(row: ErpRow, above: ErpRow | None) -> str:
    """The code's own tier; some ERPs tell the joined code only."""
    if row.data.get("code"):
        return str(row.data["code"]).strip()
    joined = str(row.data.get("full_code") or row.erp_code).strip()
    if above is None:
        return joined
    start = str(above.data.get("full_code") or above.erp_code).strip()
    if not joined.startswith(start) or len(joined) <= len(start) + 1:
        return joined
    rest = joined[len(start) :]
    return rest if rest[0].isalnum() else rest[1:]


def _problem(path: Sequence[str], description: str) -> str:
    own = path[-1]
    if not own or not description:
        return "It has no code, or no description."
    if not is_storable(own + description) or DIRECTION_CONTROLS.search(own + description):
        return "It holds characters that cannot be stored."
    if len(path) > MOST_TIERS:
        return f"It has {len(path)} tiers; a cost code has at most {MOST_TIERS}."
    if len(own) > LONGEST_CODE:
        return f"Its code has {len(own)} characters; at most {LONGEST_CODE} are taken."
    if len(description) > LONGEST_DESCRIPTION:
        most = LONGEST_DESCRIPTION
        return f"Its description has {len(description)} characters; at most {most} are taken."
    return ""


class _Comparison:
    """The ERP's codes beside ours."""

    def __init__(
        self,
        held: Sequence[Held],
        codes: Sequence[CostCode],
        linked: Mapping[str, int],
        locked: set[int],
        *,
        owned: bool,
    ) -> None:
        self.held, self.linked, self.locked, self.owned = held, linked, locked, owned
        self.codes = {code.pk: code for code in codes}
        self.by_path = {code.code_key: code for code in codes}
        self.seen: dict[str, str] = {}

    def rows(self) -> list[Row]:
        """Everything that differs."""
        found = [row for one in self.held if (row := self._of(one)) is not None]
        return self._grounded(found) + (self._missing() if self.owned else [])

    def _grounded(self, rows: Sequence[Row]) -> list[Row]:
        """Leave what would have no code above it, or an inactive one."""
        coming = {row.code_id for row in rows if row.fate == Fate.CHANGED}
        there = {
            code.code_key
            for code in self.codes.values()
            if code.is_active and code.pk not in coming
        }
        found: list[Row] = []
        for row in sorted(rows, key=lambda one: len(one.path)):
            above = key(full_code(row.path[:-1]))
            needed = row.fate in (Fate.NEW, Fate.CHANGED) and row.is_active and len(row.path) > 1
            if needed and above not in there:
                why = f"There is no active code {full_code(row.path[:-1])} here to put it under."
                found.append(replace(row, fate=Fate.LEFT, why=why))
                continue
            found.append(row)
            if row.fate in (Fate.NEW, Fate.CHANGED) and row.is_active:
                there.add(key(full_code(row.path)))
        return found

    def _of(self, one: Held) -> Row | None:
        code = self.codes.get(self.linked.get(one.erp_id, 0))
        if one.problem:
            return _left(one, one.problem)
        code_key = key(full_code(one.path))
        if self.seen.setdefault(code_key, one.erp_id) != one.erp_id:
            return _left(one, "The ERP has another code that reads the same.")
        if code is not None:
            return self._changed(one, code) if self.owned else None
        holder = self.by_path.get(code_key)
        if holder is not None:
            return self._same(one, holder)
        return _row(Fate.NEW, one) if one.is_active else None

    def _same(self, one: Held, holder: CostCode) -> Row:
        """A code of ours that reads like the ERP's, and is not linked to it."""
        if holder.origin_id:
            why = f"{holder} has this code here, and is linked to another code of the ERP."
            return _left(one, why)
        if holder.pk in self.locked:
            return _left(one, f"{holder} waits for accounting or is being exported here.")
        return _row(Fate.SAME, one, holder)

    def _changed(self, one: Held, code: CostCode) -> Row | None:
        now = (tuple(code.path), code.description, code.is_active)
        if now == (one.path, one.description, one.is_active):
            return None
        if code.pk in self.locked:
            return _left(one, f"{code} waits for accounting or is being exported here.")
        holder = self.by_path.get(key(full_code(one.path)))
        if holder is not None and holder.pk != code.pk and holder.pk not in self._moving:
            return _left(one, f"{holder} has this code here.")
        return _row(Fate.CHANGED, one, code, why=_difference(one, code))

    @cached_property
    def _moving(self) -> set[int]:
        """Codes that the ERP has put elsewhere too, as when two change places."""
        pairs = ((one, self.codes.get(self.linked.get(one.erp_id, 0))) for one in self.held)
        return {
            code.pk
            for one, code in pairs
            if code is not None and not one.problem and tuple(code.path) != one.path
        }

    def _missing(self) -> list[Row]:
        there = {self.linked[one.erp_id] for one in self.held if one.erp_id in self.linked}
        ours = set(self.linked.values()) - there
        gone = [code for pk, code in self.codes.items() if pk in ours and code.is_active]
        return [
            Row(
                Fate.MISSING,
                tuple(code.path),
                code.description,
                code_id=code.pk,
                is_active=False,
                why="The ERP does not have it any more; it becomes inactive.",
            )
            for code in gone
            if code.pk not in self.locked
        ]


def _row(fate: Fate, one: Held, code: CostCode | None = None, *, why: str = "") -> Row:
    code_id = code.pk if code else 0
    return Row(fate, one.path, one.description, one.erp_id, code_id, one.is_active, why)


def _left(one: Held, why: str) -> Row:
    return _row(Fate.LEFT, one, why=why)


def _difference(one: Held, code: CostCode) -> str:
    parts = []
    if one.path != tuple(code.path):
        parts.append(f"Code was {code.full_code}.")
    if one.description != code.description:
        parts.append(f"Description was “{code.description}”.")
    if one.is_active != code.is_active:
        parts.append("Becomes active." if one.is_active else "Becomes inactive.")
    return " ".join(parts)

"""Plan what a refresh from the ERP would change in a list of cost codes; writes nothing.

If the ERP owns the codes, the list follows it: codes are added and changed, and codes that the ERP
no longer has become inactive. Otherwise only codes that are new here, or equal on both sides, are
taken; everything else is decided by sending.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

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
    """What a refresh does with a code. SAME: the code exists on both sides and is linked."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    LEFT = "left"


@dataclass(frozen=True)
class ErpCode:
    """A code of the ERP in our terms; ``problem`` says why it cannot be stored."""

    erp_id: str
    path: tuple[str, ...]
    description: str
    is_active: bool
    problem: str | None = None


@dataclass(frozen=True)
class Row:
    """A code that the refresh changes, or cannot change (LEFT; ``why`` has the reason)."""

    fate: Fate
    path: tuple[str, ...]
    description: str
    erp_id: str = ""
    code_id: int = 0
    is_active: bool = True
    why: str = ""

    @property
    def label(self) -> str:
        """New code and description."""
        return f"{full_code(self.path)} {self.description}".strip()


@dataclass(frozen=True)
class Plan:
    """All rows, in tree order."""

    rows: tuple[Row, ...]
    # Digest of the ERP's data; a job that applies the plan in chunks stops if it changes.
    erp_digest: str

    @cached_property
    def counts(self) -> Counter[Fate]:
        """Number of rows of each fate."""
        return Counter(row.fate for row in self.rows)

    @property
    def to_do(self) -> int:
        """Number of rows that applying the plan changes."""
        return len(self.rows) - self.counts[Fate.LEFT]

    def of(self, fate: Fate | None) -> list[Row]:
        """The rows of one fate, or all rows."""
        return [row for row in self.rows if fate is None or row.fate == fate]

    def without(self, done: Iterable[Row]) -> Plan:
        """The plan without the rows that were applied."""
        applied = set(done)
        return replace(self, rows=tuple(row for row in self.rows if row not in applied))

    @cached_property
    def fingerprint(self) -> str:
        """Changes if anything in the plan changes."""
        rows = [[row.fate, row.path, row.description, row.code_id, row.why] for row in self.rows]
        return _digest([self.erp_digest, rows])


def plan_of(code_list: CodeList) -> Plan:
    """What a refresh would do to the list now; a fixed number of queries."""
    erp_codes = codes_of_erp(sendable.erp_records(code_list.account_id, list_services.CODE))
    connection = sendable.connected(code_list.account_id, list_services.CODE)
    owned = connection is not None and connection.erp_owns
    codes = list(CostCode.objects.filter(list=code_list).order_by("sort_path"))
    locked = set(code_list.codes.filter(sendable.locked()).values_list("pk", flat=True))
    linked = sendable.linked_ids(code_list.account_id, list_services.CODE)
    rows = _Comparison(erp_codes, codes, linked, locked, owned=owned).rows()
    rows.sort(key=lambda row: (sort_path(row.path), row.erp_id))
    return Plan(tuple(rows), _digest([[code.erp_id, *_facts(code)] for code in erp_codes]))


def _facts(erp_code: ErpCode) -> list[object]:
    return [erp_code.path, erp_code.description, erp_code.is_active, erp_code.problem]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def codes_of_erp(rows: Sequence[ErpRow]) -> list[ErpCode]:
    """The ERP's codes in our terms, each under the chain of codes above it."""
    by_id = {row.erp_id: row for row in rows}
    placed: dict[str, ErpCode] = {}
    return [_erp_code(row, by_id, placed, frozenset()) for row in rows]


def _erp_code(
    row: ErpRow, by_id: Mapping[str, ErpRow], placed: dict[str, ErpCode], below: frozenset[str]
) -> ErpCode:
    # Each code is worked out once, although every code under it asks for it.
    if row.erp_id in placed:
        return placed[row.erp_id]
    parent_id = str(row.data.get("parent") or "")
    erp_parent = by_id.get(parent_id)
    parent = None
    problem: str | None = None
    # The data of an ERP may have circles, and chains that are longer than our tiers.
    if erp_parent is not None and row.erp_id not in below and len(below) <= MOST_TIERS:
        parent = _erp_code(erp_parent, by_id, placed, below | {row.erp_id})
        problem = "The code above it cannot be taken." if parent.problem else None
    elif parent_id:
        problem = "The ERP names a code above it that it does not have, or one below it."
    path = (*(parent.path if parent else ()), one_line(_own_code(row, erp_parent)))
    description = one_line(str(row.data.get("description") or row.data.get("name") or ""))
    # Under an inactive code none is active, as in our own lists.
    active = row.data.get("is_active") is not False and (parent is None or parent.is_active)
    problem = problem or _problem(path, description)
    placed[row.erp_id] = ErpCode(row.erp_id, path, description, bool(active), problem)
    return placed[row.erp_id]


def _own_code(row: ErpRow, erp_parent: ErpRow | None) -> str:
    """The code's own tier; some ERPs return the joined code only."""
    if row.data.get("code"):
        return str(row.data["code"]).strip()
    joined = str(row.data.get("full_code") or row.erp_code).strip()
    if erp_parent is None:
        return joined
    prefix = str(erp_parent.data.get("full_code") or erp_parent.erp_code).strip()
    # Without the parent's code in front nothing shows where to cut, so it is taken as it is.
    if not joined.startswith(prefix) or len(joined) <= len(prefix) + 1:
        return joined
    rest = joined[len(prefix) :]
    # Without the separator, whichever one the ERP uses.
    return rest if rest[0].isalnum() else rest[1:]


def _problem(path: Sequence[str], description: str) -> str | None:
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
    return None


class _Comparison:
    """Compares the ERP's codes with ours."""

    def __init__(
        self,
        erp_codes: Sequence[ErpCode],
        codes: Sequence[CostCode],
        linked: Mapping[str, int],
        locked: set[int],
        *,
        owned: bool,
    ) -> None:
        self.erp_codes, self.linked, self.locked, self.owned = erp_codes, linked, locked, owned
        self.codes = {code.pk: code for code in codes}
        self.by_path = {code.code_key: code for code in codes}
        self.seen: dict[str, str] = {}

    def rows(self) -> list[Row]:
        """Rows for all differences."""
        rows = [row for code in self.erp_codes if (row := self._row_of(code)) is not None]
        return self._grounded(rows) + (self._missing() if self.owned else [])

    def _grounded(self, rows: Sequence[Row]) -> list[Row]:
        """Leave codes whose parent would be missing or inactive."""
        # What changes counts only once its own row is found good, at its new place.
        changing = {row.code_id for row in rows if row.fate == Fate.CHANGED}
        active = {
            code.code_key
            for code in self.codes.values()
            if code.is_active and code.pk not in changing
        }
        checked: list[Row] = []
        # From the top, so that an added code counts as the parent of those under it.
        for row in sorted(rows, key=lambda item: len(item.path)):
            parent_key = key(full_code(row.path[:-1]))
            needed = row.fate in (Fate.NEW, Fate.CHANGED) and row.is_active and len(row.path) > 1
            if needed and parent_key not in active:
                why = f"There is no active code {full_code(row.path[:-1])} here to put it under."
                checked.append(replace(row, fate=Fate.LEFT, why=why))
                continue
            checked.append(row)
            if row.fate in (Fate.NEW, Fate.CHANGED) and row.is_active:
                active.add(key(full_code(row.path)))
        return checked

    def _row_of(self, erp_code: ErpCode) -> Row | None:
        code = self.codes.get(self.linked.get(erp_code.erp_id, 0))
        if erp_code.problem:
            return _left(erp_code, erp_code.problem)
        code_key = key(full_code(erp_code.path))
        # Of two that read the same, the first keeps the code; a list of ours has a full code once.
        if self.seen.setdefault(code_key, erp_code.erp_id) != erp_code.erp_id:
            return _left(erp_code, "The ERP has another code that reads the same.")
        if code is not None:
            # Where the ERP does not own the codes, a linked one that differs is left to sending.
            return self._changed(erp_code, code) if self.owned else None
        holder = self.by_path.get(code_key)
        if holder is not None:
            return self._same(erp_code, holder)
        # A code that is inactive there could not be used here either.
        return _row(Fate.NEW, erp_code) if erp_code.is_active else None

    def _same(self, erp_code: ErpCode, holder: CostCode) -> Row:
        """Link a code of ours that equals the ERP's, if that is possible."""
        if holder.origin_id:
            why = f"{holder} has this code here, and is linked to another code of the ERP."
            return _left(erp_code, why)
        if holder.pk in self.locked:
            return _left(erp_code, f"{holder} waits for accounting or is being exported here.")
        return _row(Fate.SAME, erp_code, holder)

    def _changed(self, erp_code: ErpCode, code: CostCode) -> Row | None:
        current = (tuple(code.path), code.description, code.is_active)
        if current == (erp_code.path, erp_code.description, erp_code.is_active):
            return None
        if code.pk in self.locked:
            return _left(erp_code, f"{code} waits for accounting or is being exported here.")
        holder = self.by_path.get(key(full_code(erp_code.path)))
        if holder is not None and holder.pk != code.pk and holder.pk not in self._moving:
            return _left(erp_code, f"{holder} has this code here.")
        return _row(Fate.CHANGED, erp_code, code, why=_difference(erp_code, code))

    @cached_property
    def _moving(self) -> set[int]:
        """Ids of codes that move in the ERP as well, for example two that swap places."""
        pairs = (
            (erp_code, self.codes.get(self.linked.get(erp_code.erp_id, 0)))
            for erp_code in self.erp_codes
        )
        return {
            code.pk
            for erp_code, code in pairs
            if code is not None and not erp_code.problem and tuple(code.path) != erp_code.path
        }

    def _missing(self) -> list[Row]:
        fetched = {
            self.linked[erp_code.erp_id]
            for erp_code in self.erp_codes
            if erp_code.erp_id in self.linked
        }
        # Only linked codes can be missing: others were never the ERP's.
        missing = set(self.linked.values()) - fetched
        codes = [code for pk, code in self.codes.items() if pk in missing and code.is_active]
        return [
            Row(
                Fate.MISSING,
                tuple(code.path),
                code.description,
                code_id=code.pk,
                is_active=False,
                why="The ERP does not have it any more; it becomes inactive.",
            )
            for code in codes
            # A code with an open item is not changed; the next refresh looks at it again.
            if code.pk not in self.locked
        ]


def _row(fate: Fate, erp_code: ErpCode, code: CostCode | None = None, *, why: str = "") -> Row:
    code_id = code.pk if code else 0
    return Row(
        fate, erp_code.path, erp_code.description, erp_code.erp_id, code_id, erp_code.is_active, why
    )


def _left(erp_code: ErpCode, why: str) -> Row:
    return _row(Fate.LEFT, erp_code, why=why)


def _difference(erp_code: ErpCode, code: CostCode) -> str:
    parts = []
    if erp_code.path != tuple(code.path):
        parts.append(f"Code was {code.full_code}.")
    if erp_code.description != code.description:
        parts.append(f"Description was “{code.description}”.")
    if erp_code.is_active != code.is_active:
        parts.append("Becomes active." if erp_code.is_active else "Becomes inactive.")
    return " ".join(parts)

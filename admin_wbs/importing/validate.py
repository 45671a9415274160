"""Turn the lines of a file into paths and descriptions, with all errors. No database access."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from admin_wbs.importing.columns import Layout
from admin_wbs.models.full_code import LONGEST_CODE, LONGEST_DESCRIPTION, MOST_TIERS, full_code
from erpbridge.db.text import DIRECTION_CONTROLS, is_storable, key, keys, one_line
from erpbridge.files.damaged import reason
from erpbridge.files.table import Line

# If at least this share of codes starts with the code above it, the file repeats the parent's code
# in the child's (A, A10, A1010); then a code may occur in one place only.
CUMULATIVE = 0.9
Key = tuple[str, ...]


@dataclass
class Row:
    """One line of the file: the values to store, or the errors."""

    line: int
    cells: list[str]
    path: list[str]
    description: str
    problems: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """The path in its comparable form."""
        return keys(self.path)


def check(
    lines: Iterable[Line], layout: Layout, *, header: Sequence[str], delimiter: str
) -> list[Row]:
    """Turn every line into a row, in file order. Parents are checked later, with the list."""
    rows = [_row(line, layout, header, delimiter) for line in lines]
    _find_duplicates(rows)
    if layout.name == "levels":
        _find_cycles(rows)
    return rows


def _row(line: Line, layout: Layout, header: Sequence[str], delimiter: str) -> Row:
    spoiled = [
        f"{header[place]}: {why}"
        for place in (*layout.tiers, layout.description)
        if (why := reason(line, place, prose=place == layout.description))
    ]
    cells = [one_line(line.cells[place]) for place in layout.tiers]
    names = [header[place] for place in layout.tiers]
    description = one_line(line.cells[layout.description])
    if layout.is_joined:
        path, problems = _split(cells[0], names[0], delimiter)
    else:
        path, problems = _tiers(cells, names, last_is_code=layout.last_is_code)
    # Each tier has a name in messages, which is why the two have one length.
    for code, name in zip(path, _names(path, names, layout), strict=True):
        problems += _text_problems(code, name, LONGEST_CODE)
    name = header[layout.description]
    problems += _text_problems(description, name, LONGEST_DESCRIPTION)
    if not description:
        problems.append(f"{name} is missing.")
    # What else is wrong with a damaged cell comes from the damage.
    return Row(line.number, line.cells, path, description, spoiled or problems)


def _names(path: list[str], names: list[str], layout: Layout) -> list[str]:
    """The label of each tier in messages."""
    if layout.is_joined:
        return [f"{names[0]}, tier {tier}," for tier in range(1, len(path) + 1)]
    if len(path) < len(names) and layout.last_is_code:
        return [*names[: len(path) - 1], names[-1]]
    return names[: len(path)]


def _split(text: str, name: str, delimiter: str) -> tuple[list[str], list[str]]:
    if not text:
        return [], [f"{name} is missing."]
    # "01 - 100" is 01-100.
    path = [part.strip() for part in text.split(delimiter)] if delimiter else [text]
    if len(path) > MOST_TIERS:
        return path, [f"{name} may have at most {MOST_TIERS} tiers; it has {len(path)}."]
    empty = [str(tier) for tier, code in enumerate(path, start=1) if not code]
    return path, [f"{name} has nothing in tier {', '.join(empty)}."] if empty else []


def _tiers(
    cells: list[str], names: list[str], *, last_is_code: bool
) -> tuple[list[str], list[str]]:
    """The tiers given, and errors for missing tiers above them."""
    last = cells[-1:] if last_is_code else []
    divisions = cells[: len(cells) - len(last)]
    depth = max((place for place, code in enumerate(divisions, start=1) if code), default=0)
    path = [*divisions[:depth], *(code for code in last if code)]
    if not path:
        return [], [f"{names[0]} is missing."]
    # In these layouts a code always has a division above it.
    if last and not depth:
        return path, [f"{names[0]} is missing above {path[-1]}."]
    gaps = [name for name, code in zip(names, divisions[:depth], strict=False) if not code]
    return path, [f"{name} is missing above {path[-1]}." for name in gaps]


def _text_problems(text: str, name: str, limit: int) -> list[str]:
    problems = []
    if len(text) > limit:
        problems.append(f"{name} may have at most {limit} characters; it has {len(text)}.")
    if not is_storable(text):
        problems.append(f"{name} holds a character that cannot be stored.")
    if DIRECTION_CONTROLS.search(text):
        problems.append(f"{name} holds invisible characters that change the direction of writing.")
    return problems


def _find_duplicates(rows: list[Row]) -> None:
    """Allow one row per code: of identical rows the first is kept, of others none."""
    same: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        # A path with a gap has an error already, and its full code may read like another one.
        if row.path and all(row.path):
            same[key(full_code(row.path))].append(row)
    for group in same.values():
        # Which of several different rows is meant, only the person knows.
        alike = len({(row.key, row.description) for row in group}) == 1
        for row in group[1:] if alike else group:
            if len(group) > 1:
                row.problems.append(_duplicate(row, group))


def _duplicate(row: Row, group: list[Row]) -> str:
    others = ", ".join(str(item.line) for item in group if item is not row)
    code = full_code(row.path)
    if any(item.key != row.key for item in group):
        return f"{code} is also on line {others}, split into other tiers; a full code occurs once."
    return f"{code} is also on line {others}; a code occurs once under the same parent."


def _find_cycles(rows: list[Row]) -> None:
    """In a file with cumulative codes, a code has one place and is never its own ancestor."""
    if not _is_cumulative(rows):
        return
    lines: dict[str, dict[Key, int]] = defaultdict(dict)
    for row in rows:
        if row.path:
            # By the last tier alone, which in such a file is the whole code.
            lines[row.key[-1]].setdefault(row.key[:-1], row.line)
    for row in rows:
        problem = _misplaced(row, lines) if row.path else ""
        if problem:
            row.problems.append(problem)


def _is_cumulative(rows: list[Row]) -> bool:
    steps = Counter(
        child.startswith(parent) and child != parent
        for row in rows
        for parent, child in zip(row.key, row.key[1:], strict=False)
    )
    return bool(steps[True]) and steps[True] >= CUMULATIVE * steps.total()


def _misplaced(row: Row, lines: Mapping[str, Mapping[Key, int]]) -> str:
    *ancestors, code = row.key
    *names, name = row.path
    if code in ancestors:
        return f"{name} would be above itself."
    for ancestor, parent in zip(ancestors, names, strict=True):
        for place, line in lines.get(ancestor, {}).items():
            if code in place:
                return f"{name} is under {parent} here and above it on line {line}."
    elsewhere = {place: line for place, line in lines[code].items() if place != tuple(ancestors)}
    if elsewhere:
        line = next(iter(elsewhere.values()))
        return f"{name} is in another place on line {line}; in this file a code has one place."
    return ""

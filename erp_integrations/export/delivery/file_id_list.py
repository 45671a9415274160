"""The IDs that an ERP gave to the records of a file, as a list that a person fills in."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from erp_integrations.connections.safe_adapter import LONGEST_ID
from erp_integrations.workflow.links.settlement import Held
from erpbridge.files.formulas import guarded, unguarded

HEAD = ("key", "id", "version")


class BadList(Exception):
    """A list that cannot be read; the message names the line and what is wrong with it."""


def blank(keys: Iterable[str]) -> bytes:
    """A list to be filled in, one line per key; Excel reads its accents."""
    text = io.StringIO(newline="")
    out = csv.writer(text)
    out.writerow(HEAD)
    out.writerows((guarded(key), "", "") for key in keys)
    return text.getvalue().encode("utf-8-sig")


def read(content: bytes, compared: Callable[[str], str]) -> dict[str, Held]:
    """The filled lines: key as it is compared -> what has which ID.

    Lines without an ID are left out.

    :param compared: the form in which a key is the same to the ERP as another.
    :raises BadList:
    """
    rows = _rows(content)
    head = [cell.strip().lower() for cell in next(rows, [])]
    if "key" not in head or "id" not in head:
        raise BadList("Its first line must name the columns key and id, and may name version.")
    found: list[Held] = []
    for line, cells in enumerate(rows, start=2):
        row = dict(zip(head, (unguarded(cell.strip()) for cell in cells), strict=False))
        if row.get("id"):
            found.append(_held(line, row))
    _refuse_one_id_twice(found)
    by_key: dict[str, Held] = {}
    for one in found:
        if by_key.setdefault(compared(one.erp_code), one) is not one:
            raise BadList(f"It names the key {one.erp_code[:50]} more than once.")
    if not found:
        raise BadList("It names no ID.")
    return by_key


def _rows(content: bytes) -> Iterator[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadList("It is not a CSV file in UTF-8.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise BadList(f"It is not a CSV file: {error}.") from error


def _held(line: int, row: dict[str, str]) -> Held:
    for name in HEAD:
        if len(row.get(name, "")) > LONGEST_ID or "\x00" in row.get(name, ""):
            raise BadList(f"Line {line}: {name} has at most {LONGEST_ID} printable characters.")
    if not row.get("key"):
        raise BadList(f"Line {line}: the ID {row['id'][:50]} has no key.")
    return Held(row["id"], row["key"], row.get("version", ""))


def _refuse_one_id_twice(found: Iterable[Held]) -> None:
    times = Counter(one.erp_id for one in found)
    twice = [erp_id for erp_id, lines in times.items() if lines > 1]
    if twice:
        raise BadList(f"It names the ID {twice[0][:50]} more than once.")

"""CSV list in which a user enters the IDs that the ERP gave to the records of a file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from erp_integrations.connections.safe_adapter import LONGEST_ID
from erp_integrations.workflow.links.settlement import ErpRef
from erpbridge.files.formulas import guarded, unguarded

HEAD = ("key", "id", "version")


class BadList(Exception):
    """The list cannot be read; the message is for users and names the line and the problem."""


def blank(keys: Iterable[str]) -> bytes:
    """The empty list, one line per key, with a BOM so that Excel reads accents correctly."""
    text = io.StringIO(newline="")
    out = csv.writer(text)
    out.writerow(HEAD)
    out.writerows((guarded(key), "", "") for key in keys)
    return text.getvalue().encode("utf-8-sig")


def read(content: bytes, compared: Callable[[str], str]) -> dict[str, ErpRef]:
    """Read the filled lines: normalized key -> the record's ID and version in the ERP.

    Lines without an ID are skipped.

    :param compared: normalizes a key as the ERP compares it.
    :raises BadList: for a file that is no CSV, has wrong columns, or names a key or ID twice.
    """
    rows = _rows(content)
    head = [cell.strip().lower() for cell in next(rows, [])]
    if "key" not in head or "id" not in head:
        raise BadList("Its first line must name the columns key and id, and may name version.")
    records: list[ErpRef] = []
    for line, cells in enumerate(rows, start=2):
        row = dict(zip(head, (unguarded(cell.strip()) for cell in cells), strict=False))
        if row.get("id"):
            records.append(_record(line, row))
    _refuse_duplicate_ids(records)
    by_key: dict[str, ErpRef] = {}
    for record in records:
        if by_key.setdefault(compared(record.erp_code), record) is not record:
            raise BadList(f"It names the key {record.erp_code[:50]} more than once.")
    if not records:
        raise BadList("It names no ID.")
    return by_key


def _rows(content: bytes) -> Iterator[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadList("It is not a CSV file in UTF-8.") from error
    # Excel writes the delimiter of the user's locale.
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise BadList(f"It is not a CSV file: {error}.") from error


def _record(line: int, row: dict[str, str]) -> ErpRef:
    for name in HEAD:
        if len(row.get(name, "")) > LONGEST_ID or "\x00" in row.get(name, ""):
            raise BadList(f"Line {line}: {name} has at most {LONGEST_ID} printable characters.")
    if not row.get("key"):
        raise BadList(f"Line {line}: the ID {row['id'][:50]} has no key.")
    return ErpRef(row["id"], row["key"], row.get("version", ""))


def _refuse_duplicate_ids(records: Iterable[ErpRef]) -> None:
    counts = Counter(record.erp_id for record in records)
    duplicates = [erp_id for erp_id, count in counts.items() if count > 1]
    if duplicates:
        raise BadList(f"It names the ID {duplicates[0][:50]} more than once.")

"""CSV files of the simulator: the file that a user imports into it, and its result file.

Cells are escaped against spreadsheet formulas; the importer removes the escapes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from erp_integrations.adapters.base import (
    AdapterError,
    Command,
    Effect,
    ErpError,
    ErrorClass,
    MadeFile,
    Outcome,
)
from erp_integrations.adapters.cells import guarded, unguarded
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.adapters.simulator.messages import done, message_of, refusal, written
from erp_integrations.adapters.simulator.tables import TABLES, VENDORS, Refused, Table

HEAD = ("request", "operation", "id", "version")
RESULT = ("request", "result", "id", "version", "key", "code", "message", "column")
NOT_A_RESULT = "This is not a result file of the simulator."


def render(commands: Sequence[Command]) -> MadeFile:
    """A CSV file with records of one type for the ledger's importer."""
    table = TABLES[commands[0].entity] if commands else VENDORS
    rows = []
    for command in commands:
        message = message_of(command)
        head = {"request": command.intent, "operation": message["operation"]}
        numbers = {name: message.get(name, "") for name in ("id", "version")}
        rows.append({**head, **numbers, **message[table.name]})
    return MadeFile(f"{table.name}s.csv", "text/csv; charset=utf-8", _csv(_columns(table), rows))


def import_into(ledger: Ledger, content: bytes) -> bytes:
    """The ledger's importer.

    :returns: the result file.
    """
    # A file with another heading is read as vendors, and refused there with the reason.
    heading = _text(content).partition("\n")[0].strip()
    table = next(
        (table for table in TABLES.values() if ",".join(_columns(table)) == heading), VENDORS
    )
    results = [_imported(ledger, table, row) for row in _rows(content, _columns(table))]
    return _csv(RESULT, results)


def read_result(content: bytes) -> Mapping[str, Outcome]:
    """Read a result file; intent -> outcome.

    :raises AdapterError: for any other file.
    """
    try:
        return {row["request"]: _outcome(row) for row in _rows(content, RESULT)}
    except (ValueError, csv.Error) as error:
        raise AdapterError(
            # The ledger may have imported the records, whatever this file is.
            ErpError(ErrorClass.INVALID, Effect.UNCERTAIN, f"{NOT_A_RESULT} {error}".strip())
        ) from error


def _columns(table: Table) -> tuple[str, ...]:
    return (*HEAD, *table.limits)


def _imported(ledger: Ledger, table: Table, row: Mapping[str, str]) -> dict[str, str]:
    values = {column: row[column] for column in table.limits}
    message: dict[str, object] = {"operation": row["operation"], table.name: values}
    # A file cannot leave out a column, so blank cells of some columns mean "unchanged".
    if row["operation"] == "update":
        kept = {name: value for name, value in values.items() if value or name not in table.kept}
        message |= {"id": row["id"], "version": row["version"], table.name: kept}
    try:
        record = ledger.post(row["request"], written(message))
    except Refused as error:
        refusal_columns = {"code": error.code, "message": error.message, "column": error.column}
        return {"request": row["request"], "result": "refused", **refusal_columns}
    numbers = {"id": str(record.id), "version": str(record.version)}
    return {"request": row["request"], "result": "done", **numbers, "key": record.key}


def _outcome(row: Mapping[str, str]) -> Outcome:
    if row["result"] == "done" and row["id"]:
        return done(row["id"], row["key"], row["version"])
    if row["result"] != "refused":
        raise ValueError(f"“{row['result'][:50]}” is not a result.")
    return Outcome(error=refusal(Refused(row["code"], row["message"], row["column"])))


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _text(content: bytes) -> str:
    # Spreadsheets put a byte order mark in front.
    return content.decode("utf-8-sig")


def _rows(content: bytes, columns: Sequence[str]) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(_text(content), newline=""), strict=True)
    if tuple(reader.fieldnames or ()) != tuple(columns):
        raise ValueError("Its first line has other column names.")
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"Line {reader.line_num} has more or fewer cells than the first.")
        rows.append({name: unguarded(value) for name, value in row.items()})
    return rows

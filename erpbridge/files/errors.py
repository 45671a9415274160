"""The error file: rows that were not imported, to be corrected and uploaded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from erpbridge.files.delimited import written

ERROR = "Error"


@dataclass(frozen=True)
class Refused:
    """A row that was not imported, with its cells as they were read."""

    line: int
    cells: list[str]
    reason: str


def error_file(header: Sequence[str], rows: Iterable[Refused]) -> str:
    """Return the original columns and the reason; drops the "Error" column of an earlier round."""
    columns = [column for column, heading in enumerate(header) if heading != ERROR]
    lines = [[*(row.cells[column] for column in columns), row.reason] for row in rows]
    return "".join(written([[*(header[column] for column in columns), ERROR], *lines]))


def download(
    header: Sequence[str], rows: Iterable[Refused], *, file_name: str, otherwise: str
) -> HttpResponse:
    """Return the error file of an upload; ``otherwise`` is its name if the upload had none."""
    name = f"{PurePath(file_name).stem or otherwise}-errors.csv"
    return HttpResponse(
        error_file(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )

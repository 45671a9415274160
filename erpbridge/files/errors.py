"""The rows of a file that were not imported, as a file to mend and choose again."""

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
    """The original columns and why. An "Error" column of an earlier round is replaced."""
    kept = [place for place, heading in enumerate(header) if heading != ERROR]
    lines = [[*(row.cells[place] for place in kept), row.reason] for row in rows]
    return "".join(written([[*(header[place] for place in kept), ERROR], *lines]))


def download(
    header: Sequence[str], rows: Iterable[Refused], *, file_name: str, otherwise: str
) -> HttpResponse:
    """The error file of an upload; ``otherwise`` is what it is named after without a name."""
    name = f"{PurePath(file_name).stem or otherwise}-errors.csv"
    return HttpResponse(
        error_file(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )

"""The rows that were not imported, as a file to mend and choose again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from directory.importing.applying import Refused
from directory.importing.plan import Plan, State
from directory.importing.reading import guarded
from directory.models import CompanyImport

ERROR = "Error"


def written(header: Sequence[str], rows: Iterable[Refused]) -> str:
    """The original columns and why; cells cannot become formulas in a spreadsheet.

    Starts with a byte order mark, so that Excel reads accents. An "Error" column of an earlier
    round is replaced.
    """
    kept = [place for place, heading in enumerate(header) if heading != ERROR]
    text = io.StringIO(newline="")
    text.write("\ufeff")
    out = csv.writer(text)
    out.writerow([*(guarded(header[place]) for place in kept), ERROR])
    for row in rows:
        out.writerow([*(guarded(row.cells[place]) for place in kept), guarded(row.reason)])
    return text.getvalue()


def refused_by(plan: Plan) -> list[Refused]:
    """The rows with errors."""
    return [
        Refused(one.row.line, one.row.cells, one.reason)
        for one in plan.rows
        if one.state == State.ERROR
    ]


def refused_of(stored: CompanyImport) -> list[Refused]:
    """The rows a confirmed import did not take."""
    return [Refused(*row) for row in stored.result.get("refused", [])]

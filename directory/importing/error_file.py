"""The rows of an import of companies that were not imported."""

from __future__ import annotations

from directory.importing.plan import Plan, State
from directory.models import CompanyImport
from erpbridge.files.errors import Refused


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

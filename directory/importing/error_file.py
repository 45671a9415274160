"""The rows of a company import that were not imported."""

from __future__ import annotations

from directory.importing.plan import Plan, State
from directory.models import CompanyImport
from erpbridge.files.errors import Refused


def refused_by(plan: Plan) -> list[Refused]:
    """The rows with errors."""
    return [
        Refused(planned.row.line, planned.row.cells, planned.reason)
        for planned in plan.rows
        if planned.state == State.ERROR
    ]


def refused_of(stored: CompanyImport) -> list[Refused]:
    """The rows that a confirmed import refused."""
    return [Refused(*row) for row in stored.result.get("refused", [])]

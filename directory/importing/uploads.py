"""Store an upload between the upload page and its confirmation."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet

from directory.importing import columns as mapping
from directory.importing import plan as planning
from directory.importing.plan import Plan
from directory.models import CompanyImport
from erpbridge.access.policy import Access
from erpbridge.countries import country_code
from erpbridge.files.read import read
from erpbridge.files.table import Line
from erpbridge.imports import uploads


def start(content: bytes, *, file_name: str, access: Access) -> CompanyImport:
    """Store the rows of a file with a proposed mapping; delete uploads unconfirmed for a week.

    :raises FileProblem: if the file cannot be read; nothing is stored then.
    """
    table = read(content)
    return uploads.store(
        CompanyImport,
        table,
        file_name=file_name,
        access=access,
        project=access.project,
        columns=mapping.proposed(table),
    )


def visible_to(access: Access) -> QuerySet[CompanyImport]:
    """The person's own uploads in this scope."""
    own = CompanyImport.objects.filter(
        account=access.account, project=access.project, by=access.user
    )
    return own.select_related("account", "project__account")


def choose_columns(stored: CompanyImport, answers: Mapping[str, str]) -> bool:
    """Store another mapping, and the country of rows without one.

    Returns False if the import was confirmed already.
    """
    chosen = mapping.chosen(answers, stored.header)
    country = country_code(answers.get("country", ""))
    return uploads.update_unconfirmed(stored, columns=chosen, country_code=country)


def plan_of(stored: CompanyImport) -> Plan | None:
    """What the upload would do now; None while the mapping is incomplete."""
    if mapping.problems(stored.columns, stored.header):
        return None
    lines = [Line.from_json(kept) for kept in stored.rows]
    return planning.make(
        lines,
        stored.columns,
        account=stored.account,
        project=stored.project,
        country=stored.country_code,
    )

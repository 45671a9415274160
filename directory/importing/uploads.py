"""An upload between the page that takes it and the page that confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from directory.importing import columns as mapping
from directory.importing import plan as planning
from directory.importing.plan import Plan
from directory.models import CompanyImport
from erpbridge.access.policy import Access
from erpbridge.countries import country_code
from erpbridge.files.read import read
from erpbridge.files.table import Line

KEPT = timedelta(days=7)


def start(content: bytes, *, file_name: str, access: Access) -> CompanyImport:
    """Keep what the file holds, with a proposed mapping; forget what nobody confirmed in a week.

    :raises FileProblem: when the file cannot be read; nothing is kept then.
    """
    table = read(content)
    CompanyImport.objects.filter(
        account=access.account, confirmed_at=None, at__lt=Now() - KEPT
    ).delete()
    return CompanyImport.objects.create(
        account=access.account,
        project=access.project,
        by=access.user,
        file_name=file_name[-255:],
        header=table.header,
        rows=[line.as_json() for line in table.lines],
        columns=mapping.proposed(table),
        notice=table.notice,
    )


def visible_to(access: Access) -> QuerySet[CompanyImport]:
    """The person's own uploads in this scope."""
    mine = CompanyImport.objects.filter(
        account=access.account, project=access.project, by=access.user
    )
    return mine.select_related("account", "project__account")


def choose_columns(stored: CompanyImport, answers: Mapping[str, str]) -> bool:
    """Keep another mapping, and the country of rows that give none.

    False where the import has been confirmed in the meantime.
    """
    chosen = mapping.chosen(answers, stored.header)
    country = country_code(answers.get("country", ""))
    waiting = CompanyImport.objects.filter(pk=stored.pk, confirmed_at=None)
    return bool(waiting.update(columns=chosen, country_code=country))


def plan_of(stored: CompanyImport) -> Plan | None:
    """What the upload would do now; None while its mapping is not complete."""
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

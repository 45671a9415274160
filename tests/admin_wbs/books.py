"""Cost codes changed directly in the ERP's own books, without erpbridge."""

from __future__ import annotations

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.connections.refresh import FetchedPage
from erp_integrations.models import Connection
from erpbridge.access.models import Account
from erpbridge.jobs import run
from erpbridge.jobs.models import Job
from tests.erp_integrations import steps


def fetch_and_keep(account: Account) -> FetchedPage:
    """The codes of the ERP as they are now, all on one page."""
    place = sendable.begin_fetch(account.pk, "cost_code")
    page = sendable.fetch_page(account.pk, place)
    assert sendable.keep(page, place).is_over
    return page


def enter(connection: Connection, *rows: str) -> None:
    """Codes such as ``"01-100 Survey"``; a code goes under the one that it starts with."""
    with steps.ledger_of(connection).transaction() as db:
        for row in rows:
            code, name = row.split(" ", 1)
            above = code.rpartition("-")[0]
            parent_row = db.execute("SELECT id FROM cost_code WHERE code = ?", (above,)).fetchone()
            parent = str(parent_row["id"]) if parent_row else ""
            if parent_row:
                db.execute("UPDATE cost_code SET kind = 'group' WHERE id = ?", (parent_row["id"],))
            db.execute(
                "INSERT INTO cost_code (code, name, kind, parent, income_account)"
                " VALUES (?, ?, 'detail', ?, '4000')",
                (code, name, parent),
            )


def rename(connection: Connection, code: str, *, to: str = "", name: str = "") -> None:
    """Change the code or the description of a code in the ERP."""
    with steps.ledger_of(connection).transaction() as db:
        if name:
            db.execute("UPDATE cost_code SET name = ? WHERE code = ?", (name, code))
        if to:
            db.execute("UPDATE cost_code SET code = ? WHERE code = ?", (to, code))


def strike_out(connection: Connection, *codes: str) -> None:
    """Delete codes in the ERP."""
    with steps.ledger_of(connection).transaction() as db:
        for code in codes:
            db.execute("DELETE FROM cost_code WHERE code = ?", (code,))


def erp_list(account: Account) -> CodeList:
    code_list = list_services.erp_list(account.pk)
    assert code_list is not None
    return code_list


def do_jobs() -> None:
    """Work on the due jobs until none is left."""
    for _ in range(200):
        job = Job.objects.due().first()
        if job is None:
            return
        run.work(job.pk)
    raise AssertionError("the jobs do not come to an end")


def link(code: CostCode, number: str) -> None:
    """A row that looks synced, for tests that need no link."""
    CostCode.objects.filter(pk=code.pk).update(origin_id=number, origin_code=code.full_code)


def seen(code_list: CodeList) -> list[str]:
    """The list's codes as a person sees them; inactive ones in brackets."""
    rows = code_list.codes.order_by("sort_path")
    return [str(code) if code.is_active else f"({code})" for code in rows]

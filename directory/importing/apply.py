"""Write what an import plan contains, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from directory.companies import services as company_services
from directory.importing import plan as planning
from directory.importing import uploads
from directory.importing.plan import Choice, Fate, Plan, Planned
from directory.models import Company, CompanyImport
from erpbridge.access.models import Account, Project, User
from erpbridge.audit.services import Note, note
from erpbridge.files.errors import Refused
from erpbridge.imports.uploads import Changed, confirm_once, finish
from erpbridge.json_values import Json


@dataclass(frozen=True)
class Result:
    """What an import did, in numbers of rows; ``placed``: added to the project."""

    created: int
    placed: int
    left_out: int
    errors: int
    refused: tuple[Refused, ...]

    def as_json(self) -> dict[str, Json]:
        """The format in which it is stored with the upload."""
        refused: list[Json] = [[row.line, row.cells, row.reason] for row in self.refused]
        return {
            "created": self.created,
            "placed": self.placed,
            "left_out": self.left_out,
            "errors": self.errors,
            "refused": refused,
        }


@transaction.atomic
def confirm(stored: CompanyImport, *, choice: Choice, seen: str, by: User) -> Result:
    """Import the rows of an upload that can be imported; ``seen`` is the preview's fingerprint.

    :raises AlreadyConfirmed: the second time; nothing is imported again.
    :raises Changed: if the columns or the account changed so that other rows would be imported.
    """
    # The account before anything else (docs/locks.md, "The order").
    _one_at_a_time(stored.account)
    confirm_once(stored)
    # Made anew under the lock; the preview was made without it.
    plan = uploads.plan_of(stored)
    if plan is None or plan.fingerprint != seen:
        # Also takes back ``confirm_once``, so that the file can still be confirmed.
        raise Changed(
            "The Directory or the columns changed since this page was opened, so nothing was "
            "imported. Look at the preview again."
        )
    result = _apply(plan, choice, account=stored.account, project=stored.project, by=by)
    finish(stored, result.as_json())
    _note(stored.account, stored.file_name, result, by=by)
    return result


@transaction.atomic
def import_file(
    plan: Plan,
    *,
    choice: Choice,
    account: Account,
    project: Project | None,
    file_name: str,
    by: User,
) -> Result:
    """Import without a preview, for the management command.

    :raises Changed: if the account changed after the plan was made.
    """
    _one_at_a_time(account)
    lines = [planned.row.source for planned in plan.rows]
    # The plan was made without a lock; make it again under the lock and compare.
    current = planning.make(
        lines, plan.columns, account=account, project=project, country=plan.country
    )
    if current.fingerprint != plan.fingerprint:
        raise Changed("The Directory changed while the file was checked. Start again.")
    result = _apply(plan, choice, account=account, project=project, by=by)
    _note(account, file_name, result, by=by)
    return result


def _one_at_a_time(account: Account) -> None:
    """Lock the account, so that two imports do not both consider a company new."""
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)


def _apply(
    plan: Plan, choice: Choice, *, account: Account, project: Project | None, by: User
) -> Result:
    fates = [(planned, plan.fate(planned, choice)) for planned in plan.rows]
    new = [planned.row for planned, fate in fates if fate == Fate.CREATE]
    company_services.create_many(
        [Company(**row.values) for row in new],
        account=account,
        project=project,
        by=by,
        trades=[row.trades for row in new],
    )
    to_place = [planned for planned, fate in fates if fate == Fate.PLACE]
    placed = _place(to_place, project=project, by=by)
    # Also what was left out, so that the error file offers to import it after all.
    refused = [planned for planned, fate in fates if fate in (Fate.REFUSE, Fate.LEAVE_OUT)]
    errors = sum(fate == Fate.REFUSE for _, fate in fates)
    return Result(
        created=len(new),
        placed=placed,
        # By subtraction, so that a second row of a company that was added to the project counts
        # here too.
        left_out=len(fates) - len(new) - placed - errors,
        errors=errors,
        refused=tuple(
            Refused(planned.row.line, planned.row.cells, planned.reason) for planned in refused
        ),
    )


def _place(rows: Iterable[Planned], *, project: Project | None, by: User) -> int:
    ids = {
        planned.match.company_id for planned in rows if planned.match and planned.match.company_id
    }
    if project is None or not ids:
        return 0
    return company_services.add_to_project(ids, project=project, by=by)


def _note(account: Account, file_name: str, result: Result, *, by: User) -> None:
    counts = {name: value for name, value in result.as_json().items() if name != "refused"}
    note(
        account.pk,
        [Note("account", account.pk, file_name, "companies imported", data=counts)],
        by=by,
    )

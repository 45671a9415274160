"""``manage.py import_codes``: the cost code import for operators."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from admin_wbs.errors import CodeRefused
from admin_wbs.importing import apply, columns
from admin_wbs.importing import plan as planning
from admin_wbs.importing.plan import State
from admin_wbs.models import CodeList
from erpbridge.access import policy
from erpbridge.access.models import User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Scope
from erpbridge.db.text import login_email
from erpbridge.files import errors as refusals
from erpbridge.files.errors import Refused
from erpbridge.files.read import read
from erpbridge.files.table import FileProblem, Table, content_of
from erpbridge.imports.uploads import Changed

MOST_REASONS = 50


class Command(BaseCommand):
    """Check the file, print a summary, and import it."""

    help = (
        "Imports cost codes from a CSV or XLSX file into a list. All or nothing: when a row has an "
        "error, nothing is imported, the reasons are printed and the exit code is 1. With "
        "--skip-errors the other rows are imported, and the exit code is 1 all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """File, list, user and options."""
        parser.add_argument("file", type=Path, metavar="FILE", help="the CSV or XLSX file")
        parser.add_argument("--list", type=int, required=True, metavar="ID", dest="list_id")
        parser.add_argument(
            "--by", required=True, metavar="EMAIL", help="who imports; needs the right"
        )
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")
        parser.add_argument(
            "--delimiter",
            choices=list(columns.DELIMITERS),
            help="separator between the tiers of a code in one column; detected when left out",
        )
        parser.add_argument("--skip-errors", action="store_true", help="import the good rows")
        parser.add_argument(
            "--errors", type=Path, metavar="PATH", help="write the refused rows there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the import. :raises CommandError: with the reasons (exit code 1)."""
        code_list, user = _list_and_user(options)
        table, layout = _table(options["file"])
        delimiter = options["delimiter"]
        if delimiter is None:
            delimiter = columns.proposed_delimiter(layout, table.lines)
        plan = planning.make(
            code_list, table.lines, layout, header=table.header, delimiter=delimiter
        )
        if table.notice:
            self.stderr.write(table.notice)
        self.stdout.write(f"Layout: {layout.label}")
        counts = ", ".join(f"{plan.counts[state]} {state}" for state in State)
        self.stdout.write(f"{len(plan.rows)} rows: {counts}.")
        # Also if nothing is imported, so that the rows can be corrected.
        if options["errors"]:
            text = refusals.error_file(table.header, plan.refused)
            # The text has the line ends of CSV already, which must not be translated.
            options["errors"].write_text(text, encoding="utf-8", newline="")
        if plan.refused and not options["skip_errors"]:
            raise CommandError(f"{_reasons(plan.refused)}\nNothing was imported.")
        if not options["dry_run"]:
            try:
                result = apply.import_plan(plan, code_list, file_name=options["file"].name, by=user)
            except (CodeRefused, Changed) as refusal:
                raise CommandError(str(refusal)) from refusal
            self.stdout.write(f"Done: created {result.created}, changed {result.changed}.")
        # With --skip-errors the good rows are stored by now, and a script still learns of the
        # others.
        if plan.refused:
            raise CommandError(_reasons(plan.refused))


def _list_and_user(options: dict[str, Any]) -> tuple[CodeList, User]:
    code_list = CodeList.objects.select_related("account").filter(pk=options["list_id"]).first()
    if code_list is None:
        raise CommandError(f"There is no list of cost codes {options['list_id']}.")
    user = User.objects.filter(email=login_email(options["by"])).first()
    if user is None:
        raise CommandError(f"No user has the e-mail address {options['by']}.")
    permission = policy.can(user, Permission.CODES_EDIT, Scope(code_list.account))
    if not permission:
        raise CommandError(f"{user.email} may not import cost codes there. {permission.why}")
    return code_list, user


def _table(file: Path) -> tuple[Table, columns.Layout]:
    try:
        table = read(content_of(file))
        return table, columns.recognized(table.header)
    except FileProblem as problem:
        raise CommandError(f"{file.name}: {problem}") from problem


def _reasons(refused: list[Refused]) -> str:
    lines = [f"Line {row.line}: {row.reason}" for row in refused[:MOST_REASONS]]
    if len(refused) > MOST_REASONS:
        lines.append(f"and {len(refused) - MOST_REASONS:,} more rows (use --errors PATH).")
    return "\n".join(lines)

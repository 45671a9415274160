"""``manage.py import_companies``: the company import for operators."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from directory.importing import apply, error_file, plan
from directory.importing import columns as mapping
from directory.importing.plan import Choice, Fate, LookAlikes, Plan, State
from erpbridge.access import policy
from erpbridge.access.models import Account, Project, User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Scope
from erpbridge.countries import country_code
from erpbridge.db.text import login_email
from erpbridge.files import errors as refusals
from erpbridge.files.errors import Refused
from erpbridge.files.read import read
from erpbridge.files.table import FileProblem, Table, content_of
from erpbridge.imports.uploads import Changed

MOST_REASONS = 50


class Command(BaseCommand):
    """Check the file, print a summary, and import it."""

    help = """Imports companies from a CSV or XLSX file.

All or nothing: when a row has an error, nothing is imported, the reasons are printed and the exit
code is 1. With --skip-errors the other rows are imported, and the exit code is 1 all the same.
Column headings are recognized as on the import page; --column puts one where it belongs."""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> Any:
        """Keep the paragraphs of the help text."""
        options.setdefault("formatter_class", RawDescriptionHelpFormatter)
        return super().create_parser(prog_name, subcommand, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """File, account, user and options."""
        parser.add_argument("file", type=Path, metavar="FILE", help="the CSV or XLSX file")
        parser.add_argument("--account", type=int, required=True, metavar="ID")
        parser.add_argument(
            "--by", required=True, metavar="EMAIL", help="who imports; needs the right"
        )
        parser.add_argument("--project", type=int, metavar="ID", help="its Directory gets them too")
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")
        parser.add_argument(
            "--look-alikes",
            choices=LookAlikes.values,
            help="exact: leave out the same name and ZIP code or tax ID; skip: leave out "
            "everything that looks like a company that exists; create: create them as well. "
            "Without it exact duplicates are left out, and a doubtful row stops the import",
        )
        parser.add_argument(
            "--country", default="", metavar="CODE", help="the country of rows that give none"
        )
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="HEADING=FIELD",
            help="put a column into a field, or nowhere (HEADING=); may be repeated",
        )
        parser.add_argument("--skip-errors", action="store_true", help="import the good rows")
        parser.add_argument(
            "--errors", type=Path, metavar="PATH", help="write the refused rows there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the import. :raises CommandError: with the reasons (exit code 1)."""
        scope, user = _scope(options), _user(options["by"])
        permission = policy.can(user, Permission.COMPANIES_IMPORT, scope)
        if not permission:
            raise CommandError(f"{user.email} may not import companies here. {permission.why}")
        table = _table(options["file"])
        columns = _columns(table, options["column"])
        planned = plan.make(
            table.lines,
            columns,
            account=scope.account,
            project=scope.project,
            country=_country(options["country"]),
        )
        choice = Choice(LookAlikes(options["look_alikes"] or LookAlikes.EXACT))
        self._say(table, planned, choice)
        refused = error_file.refused_by(planned)
        # Also if nothing is imported, so that the rows can be corrected.
        if options["errors"]:
            text = refusals.error_file(table.header, refused)
            # The text has the line ends of CSV already, which must not be translated.
            options["errors"].write_text(text, encoding="utf-8", newline="")
        if refused and not options["skip_errors"]:
            raise CommandError(f"{_reasons(refused)}\nNothing was imported.")
        if planned.default is None and not options["look_alikes"]:
            raise CommandError(_doubtful(planned))
        if not options["dry_run"]:
            self._import(planned, choice, scope=scope, file=options["file"], user=user)
        # With --skip-errors the good rows are stored by now, and a script still learns of the
        # others.
        if refused:
            raise CommandError(_reasons(refused))

    def _say(self, table: Table, planned: Plan, choice: Choice) -> None:
        if table.notice:
            self.stderr.write(table.notice)
        for place, heading in enumerate(table.header):
            field = planned.columns.get(str(place))
            label = mapping.field_label(field) if field else "ignored"
            self.stdout.write(f"  {heading:<30} {label}")
        counts, fates = planned.counts, planned.fates(choice)
        self.stdout.write(
            f"{len(planned.rows)} rows: {counts[State.NEW]} new, "
            f"{counts[State.DUPLICATE]} exact duplicates, {counts[State.LOOK_ALIKE]} look-alikes, "
            f"{counts[State.PERSON]} people, {counts[State.ERROR]} with errors."
        )
        self.stdout.write(
            f"To do: create {fates[Fate.CREATE]}, add {fates[Fate.PLACE]} existing to the project, "
            f"leave out {fates[Fate.LEAVE_OUT]}."
        )

    def _import(
        self, planned: Plan, choice: Choice, *, scope: Scope, file: Path, user: User
    ) -> None:
        try:
            result = apply.import_file(
                planned,
                choice=choice,
                account=scope.account,
                project=scope.project,
                file_name=file.name,
                by=user,
            )
        except Changed as changed:
            raise CommandError(str(changed)) from changed
        self.stdout.write(
            f"Done: created {result.created}, added {result.placed} to the project, "
            f"left out {result.left_out}."
        )


def _scope(options: dict[str, Any]) -> Scope:
    account = Account.objects.filter(pk=options["account"]).first()
    if account is None:
        raise CommandError(f"There is no account {options['account']}.")
    if options["project"] is None:
        return Scope(account)
    project = Project.objects.filter(pk=options["project"], account=account).first()
    if project is None:
        raise CommandError(f"Account {account.pk} has no project {options['project']}.")
    return Scope(account, project)


def _user(email: str) -> User:
    user = User.objects.filter(email=login_email(email)).first()
    if user is None:
        raise CommandError(f"No user has the e-mail address {email}.")
    return user


def _table(file: Path) -> Table:
    try:
        return read(content_of(file))
    except FileProblem as problem:
        raise CommandError(f"{file.name}: {problem}") from problem


def _columns(table: Table, wishes: list[str]) -> dict[str, str]:
    columns = mapping.proposed(table)
    for wish in wishes:
        # From the right: a heading may contain "=", a field does not.
        heading, _, field = wish.rpartition("=")
        if heading not in table.header:
            raise CommandError(f"The file has no column “{heading}”.")
        if field and field not in mapping.HEADINGS:
            raise CommandError(f"“{field}” is none of: {', '.join(mapping.HEADINGS)}.")
        # A field has one column, so it is taken away from the proposed one.
        columns = {place: other for place, other in columns.items() if other != field}
        columns[str(table.header.index(heading))] = field
    columns = {place: field for place, field in columns.items() if field}
    problems = mapping.problems(columns, table.header)
    if problems:
        raise CommandError(f"{' '.join(problems)} Use --column HEADING=FIELD.")
    return columns


def _country(text: str) -> str:
    code = country_code(text)
    if text and not code:
        raise CommandError(f"“{text}” is not a country. Give a code such as US.")
    return code


def _doubtful(planned: Plan) -> str:
    """The message for look-alikes that a person must decide on."""
    rows = planned.of_state(State.LOOK_ALIKE)
    reasons = _reasons([Refused(row.row.line, row.row.cells, row.reason) for row in rows])
    return (
        f"{reasons}\nNothing was imported. Say with --look-alikes whether these are created "
        "(exact or create) or left out (skip)."
    )


def _reasons(refused: list[Refused]) -> str:
    lines = [f"Line {row.line}: {row.reason}" for row in refused[:MOST_REASONS]]
    if len(refused) > MOST_REASONS:
        lines.append(f"and {len(refused) - MOST_REASONS:,} more rows (use --errors PATH).")
    return "\n".join(lines)

"""Command for the operator: create an account and its first admin."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from erpbridge.access.models import User
from erpbridge.access.services import accounts
from erpbridge.db.text import login_email

PASSWORD_VARIABLE = "ERPBRIDGE_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    """Create an account and its first admin."""

    help = (
        "Create an account and its first admin, who may add people and grant "
        f"Can push to accounting. The password of a new login is read from {PASSWORD_VARIABLE}, "
        "or asked for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the account name and the admin's e-mail address and name."""
        parser.add_argument("name", help="name of the account")
        parser.add_argument("--email", required=True, help="the admin's e-mail address")
        parser.add_argument(
            "--admin-name", default="", help="the admin's name (needed for a new login)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create the account and the admin, or neither.
        :raises CommandError: with a line for each invalid value.
        """
        email = login_email(options["email"])
        login_exists = User.objects.filter(email=email).exists()
        try:
            membership = accounts.create(
                options["name"],
                admin_email=email,
                admin_name=options["admin_name"],
                # An existing login keeps its password.
                password=None if login_exists else _password(),
            )
        except ValidationError as error:
            raise CommandError(_in_lines(error)) from error
        login = "existing login" if login_exists else "new login"
        self.stdout.write(
            f"Created account {membership.account.name!r} (id {membership.account_id}); "
            f"its admin is {email} ({login})."
        )


def _password() -> str:
    # Not an option of the command, which other users of the machine could read in its arguments.
    from_environment = os.environ.get(PASSWORD_VARIABLE)
    if from_environment is not None:
        return from_environment
    if not sys.stdin.isatty():
        raise CommandError(f"Set {PASSWORD_VARIABLE}: there is no terminal to ask for a password.")
    password = getpass.getpass("Password for the admin: ")
    if password != getpass.getpass("Again: "):
        raise CommandError("The two passwords differ.")
    return password


def _in_lines(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return "\n".join(f"password: {message}" for message in error.messages)
    return "\n".join(
        f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )

"""``manage.py seed_tryton``: create a second demo account, with a Tryton ERP (``make tryton``)."""

from __future__ import annotations

from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from directory.companies import services as company_services
from directory.management.demo_firms import firms
from directory.models import Company
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.connections.secrets import opened as secrets_of
from erp_integrations.models import Connection
from erp_integrations.workflow.links import connection_identity
from erpbridge import env
from erpbridge.access import policy
from erpbridge.access.models import Account, User
from erpbridge.access.policy import Access
from erpbridge.access.services import accounts
from erpbridge.management import demo_codes
from erpbridge.management.commands.seed_demo import (
    ADA,
    CORA,
    PAT,
    add_person,
    company_of,
)
from erpbridge.management.commands.serve import restart_in_demo_mode
from erpbridge.processes import listen_address

ACCOUNT = "Tryton Trial"
NAME = "Tryton"
FIRMS = 12


class Command(BaseCommand):
    """Create what is missing of the account, connect it, and print the page to open."""

    help = "Connects an invented account to a running Tryton; its key is in ERPBRIDGE_TRYTON_KEY."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the address of Tryton and what to use there."""
        parser.add_argument("--url", required=True, help="server and database")
        parser.add_argument("--company", default="1", help="ID of the company in Tryton")
        parser.add_argument("--root", default="COSTCODES", help="code of the root of cost codes")

    def handle(self, *args: Any, url: str, company: str, root: str, **options: Any) -> None:
        """Create and connect the account.

        :raises CommandError: in production mode, because the demo's passwords are public.
        """
        if settings.PRODUCTION:
            raise CommandError("The demo's passwords are public; it is refused in production mode.")
        if settings.MODE != "demo":
            restart_in_demo_mode()
        call_command("migrate", verbosity=0, interactive=False)
        # For its people: Ada belongs to both accounts.
        call_command("seed_demo", stdout=StringIO())
        config = {"url": url, "company": company, "root": root}
        ada = _ada() or _create()
        connection = _connected(ada, config, key=env.text("ERPBRIDGE_TRYTON_KEY"))
        works = connection_services.test(connection, by=ada.user)
        works = works and connection_services.refresh(connection, by=ada.user)
        if works:
            demo_codes.load(connection, sender=CORA.email, approver=PAT.email)
        self._print_result(ada, connection, works=works)

    def _print_result(self, ada: Access, connection: Connection, *, works: bool) -> None:
        problems = connection.test_result["problems"] or [connection.refresh_problem]
        status_text = "works" if works else f"does not work: {' '.join(problems)}"
        page = reverse("directory:account_companies", args=[ada.account.pk])
        self.stdout.write(
            f"The connection of the demo account “{ACCOUNT}” {status_text}\n"
            f"Open {listen_address.read()}{page} (after make run, in another terminal), sign in\n"
            f"as {ADA.email}, password {ADA.password}; send companies or cost codes to the ERP,\n"
            f"accept them under ERP Integrations as {PAT.email}, password\n"
            f"{PAT.password}, and see them arrive here. Ctrl-C ends Tryton."
        )


def _ada() -> Access | None:
    user = User.objects.filter(email=ADA.email).first()
    account = Account.objects.filter(name=ACCOUNT).order_by("pk").first()
    return policy.load(user, account) if user and account else None


@transaction.atomic
def _create() -> Access:
    """Create the account with Ada, Cora, Pat and some companies."""
    first = accounts.create(ACCOUNT, admin_email=ADA.email)
    ada = policy.load(first.user, first.account)
    assert ada is not None
    for person in (CORA, PAT):
        add_person(person, [], by=ada)
    invented = firms(FIRMS, seed=8)
    stored: list[Company] = [company_of(firm, 2 * index) for index, firm in enumerate(invented)]
    company_services.create_many(stored, account=ada.account, project=None, by=ada.user)
    return ada


def _connected(ada: Access, config: dict[str, str], *, key: str) -> Connection:
    """Return the active connection with the current address and key."""
    existing = Connection.objects.filter(account=ada.account, name=NAME).first()
    secrets = {"key": key}
    if existing is not None:
        present = {name: str(existing.config.get(name)) for name in config}
        if present != config or secrets_of(existing) != secrets:
            _change_address(existing, config, secrets, ada)
        return existing
    created = connection_settings.create(
        account=ada.account,
        name=NAME,
        adapter="tryton",
        config=config,
        secrets=secrets,
        by=ada.user,
    )
    connection_services.activate(created, by=ada.user)
    return created


def _change_address(
    connection: Connection, config: dict[str, str], secrets: dict[str, str], ada: Access
) -> None:
    """Change the connection's address. The books are the same: ``make tryton`` keeps them.

    :raises CommandError: when the connection has open items.
    """
    try:
        if not connection_identity.lead_elsewhere(
            connection,
            config=config,
            secrets=secrets,
            books=connection_identity.Books.SAME,
            by=ada.user,
        ):
            connection_settings.configure(
                connection, name=NAME, config=connection.config, secrets=secrets, by=ada.user
            )
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error

"""``manage.py api_client``: create a service account and print its credentials for a shell."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.crypto import get_random_string

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.segments import default_structure
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, Project
from erpbridge.access.policy import Access
from erpbridge.access.services import accounts, projects
from erpbridge.access.services.people import Levels
from erpbridge.oauth import applications, tokens
from erpbridge.oauth.applications import CreatedApplication, Service
from erpbridge.processes import listen_address

EVERYTHING = Levels(Level.ADMIN, Level.ADMIN, Level.ADMIN, create_edit_companies=True)
CODES = {"01": ("General", ("010", "020")), "03": ("Concrete", ("100", "200"))}


class Command(BaseCommand):
    """Create a service account with admin rights and print how to use it."""

    help = "Prints BASE_URL CLIENT_ID CLIENT_SECRET COMPANY_ID PROJECT_ID REFRESH_TOKEN."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Account and project; without them new ones are created."""
        parser.add_argument("--company", type=int, help="id of the account")
        parser.add_argument("--project", type=int, help="id of one of its projects")
        parser.add_argument("--base-url", help="without it the address that serve runs on")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the service account.

        :raises CommandError: when the account or project does not exist.
        """
        if options["company"] is None:
            if options["project"] is not None:
                raise CommandError("--project needs --company, whose project it is.")
            by, project = _new_account()
        else:
            by = _admin(options["company"])
            project = _project(by.account, options["project"])
        service = Service(EVERYTHING, EVERYTHING, [project], can_push_to_accounting=True)
        created = applications.create("API client", service=service, by=by)
        assert created.application.service is not None
        issued = tokens.issue(created.application, created.application.service.user)
        self._print(options["base_url"] or listen_address.read(), created, project, issued.refresh)

    def _print(
        self, base_url: str, created: CreatedApplication, project: Project, refresh: str
    ) -> None:
        values = {
            "BASE_URL": base_url.rstrip("/"),
            "CLIENT_ID": created.application.uid,
            "CLIENT_SECRET": created.secret,
            "COMPANY_ID": created.application.account_id,
            "PROJECT_ID": project.pk,
            "REFRESH_TOKEN": refresh,
        }
        for name, value in values.items():
            self.stdout.write(f"{name}={shlex.quote(str(value))}")


def _admin(account_id: int) -> Access:
    """Return the access of somebody in the account who may do this.

    :raises CommandError: when there is nobody.
    """
    # An approver, because only one may grant it to the service account.
    members = Membership.objects.active().people().filter(account=account_id)
    admins = members.filter(directory=Level.ADMIN, can_push_to_accounting=True)
    first = admins.select_related("user", "account").order_by("pk").first()
    access = policy.load(first.user, first.account) if first else None
    if access is None:
        raise CommandError(f"There is no company {account_id} with an admin who is an approver.")
    return access


def _project(account: Account, project_id: int | None) -> Project:
    projects_of_account = Project.objects.filter(account=account).order_by("-is_active", "pk")
    if project_id is not None:
        projects_of_account = projects_of_account.filter(pk=project_id)
    project = projects_of_account.first()
    if project is None:
        raise CommandError(f"Company {account.pk} has no project {project_id or ''}".rstrip() + ".")
    return project


def _new_account() -> tuple[Access, Project]:
    """Create an account with one active project and cost code lists, without an ERP."""
    name = get_random_string(8).lower()
    first = accounts.create(
        f"API trial {name}",
        admin_email=f"admin-{name}@api-trial.example",
        admin_name="API Trial Admin",
        # Thrown away: nobody signs in as this admin.
        password=get_random_string(40),
    )
    by = policy.load(first.user, first.account)
    assert by is not None
    settings = projects.Settings("API Trial Project", number="1", use_with_erp=True)
    project = projects.create(settings, by=by)
    _add_codes(by)
    return by, project


def _add_codes(by: Access) -> None:
    standard_list = list_services.create(account=by.account, name="Standard Cost Codes", by=by.user)
    rows: list[tuple[tuple[str, ...], str]] = []
    for division, (description, children) in CODES.items():
        rows.append(((division,), description))
        rows += [((division, code), f"{description} {code}") for code in children]
    code_services.add_many(standard_list, rows, by=by.user)
    erp_list = list_services.create(account=by.account, name="ERP Standard Cost Codes", by=by.user)
    list_services.make_erp(erp_list, by=by.user)
    default_structure.ensure(by.account.pk)

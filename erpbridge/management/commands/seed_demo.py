"""``manage.py seed_demo``: create a demo account with invented data, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from admin_wbs.models import CodeList
from admin_wbs.projects import cost_codes
from directory.companies import services as company_services
from directory.management.demo_firms import Firm, firms
from directory.models import Company, EntityType
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection
from erpbridge.access import policy
from erpbridge.access.form_digest import digest, person_state
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Project, User
from erpbridge.access.policy import Access
from erpbridge.access.services import accounts, projects
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Approver, Levels, Person
from erpbridge.management import demo_codes

ACCOUNT = "Cedar & Stone Builders"
FIRMS = 40
# Indexes of firms that are inactive, or that the ERP or erpbridge will reject.
INACTIVE = (5, 23)
BAD_TAX_ID = (8, 19)
ON_PROJECTS = (range(22), range(16, 34), range(30, FIRMS))
PROJECTS = (
    projects.Settings("Quarry Street School", number="1042", use_with_erp=True),
    projects.Settings("Harbor Clinic Expansion", number="1057", use_with_erp=True),
    projects.Settings("Foundry Lofts", number="1063"),
)


@dataclass(frozen=True)
class DemoPerson:
    """A person of the demo account."""

    role: str
    name: str
    email: str
    password: str
    does: str
    in_account: Person = field(default_factory=Person)
    on_project: Levels | None = None
    pushes: tuple[str, ...] = ()


ADA = DemoPerson(
    "Account admin",
    "Ada Lindqvist",
    "ada@cedarstone.example",
    "demo-maple-ladder-71",
    "everything: people, projects, companies, the ERP; approver too",
)
CORA = DemoPerson(
    "Company admin",
    "Cora Hamid",
    "cora@cedarstone.example",
    "demo-willow-compass-47",
    "adds cost codes to the ERP's list, sends them to the ERP",
    in_account=Person(directory=Level.READ_ONLY, admin=Level.ADMIN),
)
PAT = DemoPerson(
    "Accounting approver",
    "Pat Moreno",
    "pat@cedarstone.example",
    "demo-copper-window-58",
    "accepts or rejects what waits under ERP Integrations",
    in_account=Person(directory=Level.READ_ONLY, erp_integrations=Level.STANDARD),
    on_project=Levels(directory=Level.READ_ONLY),
    pushes=("vendor", "cost_code"),
)
OTHERS = (
    DemoPerson(
        "Project admin",
        "Petra Osei",
        "petra@cedarstone.example",
        "demo-quartz-harbor-24",
        "edits companies of the projects, sends them; picks their codes",
        in_account=Person(directory=Level.READ_ONLY),
        on_project=Levels(directory=Level.ADMIN, admin=Level.ADMIN),
    ),
    CORA,
    PAT,
    DemoPerson(
        "ERP administrator",
        "Erin Takala",
        "erin@cedarstone.example",
        "demo-granite-signal-36",
        "connects the ERP, tests, refreshes, pauses; decides nothing",
        in_account=Person(directory=Level.READ_ONLY, erp_integrations=Level.ADMIN),
    ),
    DemoPerson(
        "Standard user",
        "Sam Whitlock",
        "sam@cedarstone.example",
        "demo-orchard-kettle-83",
        "creates and edits companies, cannot send them",
        in_account=Person(directory=Level.STANDARD),
        on_project=Levels(directory=Level.STANDARD, create_edit_companies=True),
    ),
    DemoPerson(
        "Read-only user",
        "Rita Nwosu",
        "rita@cedarstone.example",
        "demo-lantern-meadow-19",
        "looks at everything, changes nothing",
        in_account=Person(directory=Level.READ_ONLY, erp_integrations=Level.READ_ONLY),
        on_project=Levels(directory=Level.READ_ONLY),
    ),
)


class Command(BaseCommand):
    """Create what is missing of the demo account, and print who can sign in."""

    help = "Creates an invented account with people, companies and a simulator ERP, once."

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the data.

        :raises CommandError: in production mode, because the passwords are public.
        """
        if settings.PRODUCTION:
            raise CommandError("The demo's passwords are public; it is refused in production mode.")
        if not User.objects.filter(email=ADA.email).exists():
            _create()
            self.stdout.write(f"Created the demo account {ACCOUNT} with {FIRMS} companies.")
        ada = _ada()
        # By itself, so that it can be done later if the adapter was not allowed at first.
        if ada is not None and not Connection.objects.filter(account=ada.account).exists():
            self._connect(ada)
        self._print_people()

    def _connect(self, ada: Access) -> None:
        try:
            connection = _connected(ada)
        except ValidationError as problem:
            self.stderr.write(f"No ERP is connected: {' '.join(problem.messages)}")
            return
        connection_services.test(connection, by=ada.user)
        connection_services.refresh(connection, by=ada.user)
        self.stdout.write(f"Connected {connection.name}.")
        erp_list = demo_codes.load(connection, sender=CORA.email, approver=PAT.email)
        if erp_list:
            _put_on_project(erp_list, by=ada)
            self.stdout.write(f"Created {erp_list.codes.count()} cost codes.")

    def _print_people(self) -> None:
        line = "{:<20} {:<26} {:<24} {}"
        rows = [
            line.format(person.role, person.email, person.password, person.does)
            for person in (ADA, *OTHERS)
        ]
        self.stdout.write("\nDEMO. Invented people of " + ACCOUNT + ", with public passwords:\n\n")
        self.stdout.write(line.format("Role", "E-mail", "Password", "Permissions"))
        self.stdout.write("\n".join([*rows, ""]))


def _ada() -> Access | None:
    """Return the access of the demo account's admin; None if she was removed from it."""
    user = User.objects.filter(email=ADA.email).first()
    account = Account.objects.visible_to(user).order_by("pk").first() if user else None
    return policy.load(user, account) if user and account else None


@transaction.atomic
def _create() -> None:
    """Create the account with everything but its connection."""
    first = accounts.create(
        ACCOUNT, admin_email=ADA.email, admin_name=ADA.name, password=ADA.password
    )
    ada = policy.load(first.user, first.account)
    assert ada is not None
    created = [projects.create(settings_of_project, by=ada) for settings_of_project in PROJECTS]
    for person in OTHERS:
        add_person(person, created, by=ada)
    _add_companies(created, by=ada)


def add_person(demo_person: DemoPerson, demo_projects: Sequence[Project], *, by: Access) -> None:
    """Add a demo person to the account of ``by`` and to the projects ``demo_projects``."""
    added = people_services.add(
        email=demo_person.email,
        name=demo_person.name,
        person=demo_person.in_account,
        by=by,
        # The operator vouches for invented people, who cannot use a link.
        trusted=True,
    )
    member = added.membership
    member.user.set_password(demo_person.password)
    member.user.save(update_fields=["password"])
    if demo_person.pushes:
        rights = dict.fromkeys(demo_person.pushes, (True, True))
        approver = Approver(can_push_to_accounting=True, erp_digest=True, rights=rights)
        seen = digest(person_state(member))
        people_services.update(
            member.pk, person=demo_person.in_account, approver=approver, seen=seen, by=by
        )
    if demo_person.on_project is not None:
        levels = {project.pk: demo_person.on_project for project in demo_projects}
        seen = digest(people_services.project_state(member, list(demo_projects)))
        people_services.set_project_levels(member.pk, levels=levels, seen=seen, by=by)


def _add_companies(demo_projects: Sequence[Project], *, by: Access) -> None:
    invented = firms(FIRMS, seed=42)
    stored = company_services.create_many(
        [company_of(firm, number) for number, firm in enumerate(invented)],
        account=by.account,
        project=None,
        by=by.user,
        # The text begins with the trade: “… specifically …”.
        trades=[[firm["trades"].partition(" specifically")[0]] for firm in invented],
    )
    for project, indexes in zip(demo_projects, ON_PROJECTS, strict=True):
        company_services.add_to_project(
            [stored[n].pk for n in indexes], project=project, by=by.user
        )
    for index in INACTIVE:
        company_services.deactivate(stored[index], seen=stored[index].revision, by=by.user)


def company_of(firm: Firm, number: int) -> Company:
    """Return an invented firm as a company; some tax IDs are invalid, depending on ``number``."""
    copied = ("name", "address", "city", "state_code", "zip", "country_code", "business_phone")
    values = {name: firm[name] for name in (*copied, "fax_number", "website", "license_number")}
    if firm["website"]:
        values["email_address"] = firm["website"].replace("http://www.", "office@")
    if number in BAD_TAX_ID:
        values |= {"entity_type": EntityType.EIN, "entity_id": f"07-{number:04}"}
    elif number % 2 == 0:
        values |= {"entity_type": EntityType.EIN, "entity_id": f"52-{number:07}"}
    return Company(**values, notes=firm["trades"])


def _put_on_project(code_list: CodeList, *, by: Access) -> None:
    """Give the first project the codes that are in the ERP."""
    project = Project.objects.get(account=by.account, number=PROJECTS[0].number)
    ids = list(code_list.codes.synced().values_list("pk", flat=True))
    cost_codes.add(code_list, ids, project=project, by=by.user)


@transaction.atomic
def _connected(ada: Access) -> Connection:
    """Create and activate a simulator connection.

    :raises ValidationError: when its adapter is not allowed.
    """
    connection = connection_settings.create(
        account=ada.account,
        name="Simulator ERP",
        adapter="simulator",
        config={"latency_ms": 40},
        by=ada.user,
    )
    connection_services.activate(connection, by=ada.user)
    return connection

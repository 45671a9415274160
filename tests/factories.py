"""Invented rows. Each app's factories stand in a section of their own."""

from __future__ import annotations

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from admin_wbs.models import CodeImport, CodeList, CostCode
from admin_wbs.models.full_code import full_code, sort_path
from directory.models import Company, CompanyImport, Trade
from directory.models.derived_columns import prepare
from erp_integrations.models import Connection, ExportFile, Item, Request
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, Project, ProjectMembership, User
from erpbridge.jobs.models import Job
from erpbridge.oauth.models import Application

PASSWORD = "correct horse battery staple"

# --- access ---------------------------------------------------------------------------------


class AccountFactory(DjangoModelFactory):
    class Meta:
        model = Account

    name = factory.Sequence(lambda n: f"Account {n} Construction")


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Person {n}")
    email = factory.LazyAttribute(lambda user: f"{user.name.lower().replace(' ', '.')}@example.com")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        password = kwargs.pop("password", PASSWORD)
        return model_class.objects.create_user(*args, password=password, **kwargs)


class ProjectFactory(DjangoModelFactory):
    class Meta:
        model = Project

    account = factory.SubFactory(AccountFactory)
    number = factory.Sequence(lambda n: f"P-{n:04}")
    name = factory.Sequence(lambda n: f"Project {n}")
    use_with_erp = True


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    account = factory.SubFactory(AccountFactory)
    confirmed_at = factory.LazyFunction(timezone.now)

    class Params:
        account_admin = factory.Trait(
            directory=Level.ADMIN, admin=Level.ADMIN, erp_integrations=Level.ADMIN
        )
        approver = factory.Trait(erp_integrations=Level.ADMIN, can_push_to_accounting=True)


class ProjectMembershipFactory(DjangoModelFactory):
    class Meta:
        model = ProjectMembership

    membership = factory.SubFactory(MembershipFactory)
    project = factory.SubFactory(
        ProjectFactory, account=factory.SelfAttribute("..membership.account")
    )


# --- jobs -----------------------------------------------------------------------------------


class JobFactory(DjangoModelFactory):
    """A row that nobody works on."""

    class Meta:
        model = Job

    account = factory.SubFactory(AccountFactory)
    kind = "project_codes.refresh_all"
    subject = factory.Sequence(lambda n: f"subject {n}")
    title = "Refresh"
    back = "/"
    by = factory.SubFactory(UserFactory)


class ApplicationFactory(DjangoModelFactory):
    """A row only, without a secret that anybody knows."""

    class Meta:
        model = Application

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Program {n}")
    uid = factory.Sequence(lambda n: f"client-{n}")
    secret_digest = "0" * 64


# --- directory ------------------------------------------------------------------------------


class TradeFactory(DjangoModelFactory):
    class Meta:
        model = Trade

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Trade {n}")


class CompanyFactory(DjangoModelFactory):
    class Meta:
        model = Company

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Company {n}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        company = model_class(*args, **kwargs)
        prepare(company)
        company.save()
        return company


class CompanyImportFactory(DjangoModelFactory):
    class Meta:
        model = CompanyImport

    account = factory.SubFactory(AccountFactory)
    by = factory.SubFactory(UserFactory)
    file_name = "firms.csv"
    header = factory.LazyFunction(lambda: ["name"])
    rows = factory.LazyFunction(lambda: [[2, ["Three Rivers Glass"]]])
    columns = factory.LazyFunction(lambda: {"0": "name"})


# --- admin_wbs ------------------------------------------------------------------------------


class CodeListFactory(DjangoModelFactory):
    class Meta:
        model = CodeList

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Cost Codes {n}")


class CostCodeFactory(DjangoModelFactory):
    """A row only, with what follows from its place; tests of the rules use the service."""

    class Meta:
        model = CostCode

    list = factory.SubFactory(CodeListFactory)
    parent = None
    code = factory.Sequence(lambda n: f"{n:03}")
    description = factory.Sequence(lambda n: f"Work {n}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        parent = kwargs.get("parent")
        path = [*(parent.path if parent else []), kwargs["code"]]
        place = {"path": path, "full_code": full_code(path), "sort_path": sort_path(path)}
        account = kwargs["list"].account
        return super()._create(
            model_class, *args, **place, account=account, depth=len(path) - 1, **kwargs
        )


class CodeImportFactory(DjangoModelFactory):
    class Meta:
        model = CodeImport

    list = factory.SubFactory(CodeListFactory)
    account = factory.SelfAttribute("list.account")
    by = factory.SubFactory(UserFactory)
    file_name = "codes.csv"
    header = factory.LazyFunction(lambda: ["Code", "Description"])
    rows = factory.LazyFunction(lambda: [[2, ["01", "General"]]])
    delimiter = "-"


# --- erp_integrations -----------------------------------------------------------------------


class ConnectionFactory(DjangoModelFactory):
    """A row only; tests that export make theirs through the service."""

    class Meta:
        model = Connection

    account = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda n: f"Connection {n}")
    adapter = "simulator"


class ExportFileFactory(DjangoModelFactory):
    """A row only; tests of the file delivery make theirs through the service."""

    class Meta:
        model = ExportFile

    connection = factory.SubFactory(ConnectionFactory)
    entity = "vendor"
    name = factory.Sequence(lambda n: f"vendors-{n}.csv")
    content_type = "text/csv"
    content = b"a,b"
    count = 1
    made_by = factory.SubFactory(UserFactory)


class RequestFactory(DjangoModelFactory):
    class Meta:
        model = Request

    account = factory.SubFactory(AccountFactory)
    entity = "vendor"
    verb = Request.Verb.SEND
    by = factory.SubFactory(UserFactory)


class ItemFactory(DjangoModelFactory):
    """A waiting item of a company of its own."""

    class Meta:
        model = Item

    account = factory.SubFactory(AccountFactory)
    connection = factory.SubFactory(ConnectionFactory, account=factory.SelfAttribute("..account"))
    entity = "vendor"
    record_id = factory.LazyAttribute(lambda item: CompanyFactory(account=item.account).pk)
    label = factory.Sequence(lambda n: f"Company {n}")
    operation = "create"
    revision = 1
    payload = factory.LazyAttribute(lambda item: {"name": item.label, "is_active": True})
    digest = "0" * 64
    sent_by = factory.SubFactory(UserFactory)

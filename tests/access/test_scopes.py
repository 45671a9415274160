"""Rights in one project open that project, and nothing beside or above it."""

from __future__ import annotations

import pytest

from directory.companies import services as company_services
from erp_integrations.models import Item, Request
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from tests.every_page.test_every_url import OF_ACCOUNTS, address, answers, ids, ours
from tests.factories import (
    CompanyImportFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    RequestFactory,
    UserFactory,
)

__all__ = ["ours"]

# What every member may open: the way in, and the list of one's own projects.
OPEN_TO_MEMBERS = {"account", "access:projects"}
OF_ONE_ACCOUNT = [
    url for url in OF_ACCOUNTS if "project_id" not in url[1] and url[0] not in OPEN_TO_MEMBERS
]
OF_PROJECTS = [url for url in OF_ACCOUNTS if "project_id" in url[1]]
# What a project does not hold although its admin may open the pages around it.
RECORD_IDS = {"company_id", "import_id", "request_id", "public_id"}
OF_RECORDS = [url for url in OF_PROJECTS if RECORD_IDS & set(url[1])]


@pytest.fixture
def uma(account, project):
    """Admin of one project, approver by the flag, and nothing in the account."""
    user = UserFactory.create(name="Uma Project")
    membership = MembershipFactory.create(user=user, account=account, can_push_to_accounting=True)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    return user


@pytest.mark.parametrize("url", OF_ONE_ACCOUNT, ids=ids)
def test_a_project_admin_opens_no_page_of_the_account(url, ours, client_of, uma):
    assert answers(client_of(uma), address(*url, ours)) <= {403, 404}


@pytest.mark.parametrize("url", OF_PROJECTS, ids=ids)
def test_a_project_admin_finds_nothing_of_another_project(url, ours, account, client_of, uma):
    other = ProjectFactory.create(account=account, number="2077")
    assert answers(client_of(uma), address(*url, ours | {"project_id": other.pk})) == {404}


@pytest.mark.parametrize("url", OF_RECORDS, ids=ids)
@pytest.mark.parametrize("elsewhere", ["in the account", "in another project"])
def test_a_project_holds_nothing_from_elsewhere(url, elsewhere, ours, account, ada, client_of, uma):
    if elsewhere == "in another project":
        other = ProjectFactory.create(account=account, number="2077")
        company_services.add_to_project([ours["company_id"]], project=other, by=ada)
        Item.objects.update(project=other)
        Request.objects.update(project=other)
        mine = CompanyImportFactory.create(account=account, by=uma, project=other)
    else:
        mine = CompanyImportFactory.create(account=account, by=uma)
    click = RequestFactory.create(account=account, by=ada)
    values = ours | {"import_id": mine.pk, "request_id": click.pk}
    assert answers(client_of(uma), address(*url, values)) == {404}


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_somebody_inactive_finds_nothing(url, ours, client_of, uma, ada):
    Membership.objects.exclude(user=ada).update(is_active=False)
    assert answers(client_of(uma), address(*url, ours)) == {404}


@pytest.fixture
def reader(account, project):
    """Read Only in every tool of the account and of the project."""
    levels = dict.fromkeys(("directory", "admin", "erp_integrations"), Level.READ_ONLY)
    user = UserFactory.create(name="Rita Reader")
    membership = MembershipFactory.create(user=user, account=account, **levels)
    ProjectMembershipFactory.create(membership=membership, project=project, **levels)
    return user


@pytest.fixture
def clerk(account, project):
    """An approver in account and project, for every direction and record type but vendors out."""
    levels = {"directory": Level.STANDARD, "erp_integrations": Level.STANDARD}
    user = UserFactory.create(name="Cleo Clerk")
    membership = MembershipFactory.create(
        user=user, account=account, can_push_to_accounting=True, **levels
    )
    membership.erp_rights.create(entity="vendor", can_import=True, can_export=False)
    membership.erp_rights.create(entity="cost_code", can_import=True, can_export=True)
    ProjectMembershipFactory.create(membership=membership, project=project, **levels)
    return user


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_whoever_may_only_read_changes_nothing(url, ours, account, project, client_of, reader, ada):
    company_services.add_to_project([ours["company_id"]], project=project, by=ada)
    Item.objects.update(project=project)
    sent = {"action": "send", "verb": "send", "ids": ours["company_id"], "confirm": 1}
    answer = client_of(reader).post(address(*url, ours), sent)
    assert answer.status_code in {403, 404, 405}


DECISIONS = [url for url in OF_ACCOUNTS if url[0].endswith(("accept", "reject", "answer", "_many"))]


@pytest.mark.parametrize("url", DECISIONS, ids=ids)
def test_an_approver_decides_only_for_the_record_types_ticked(url, ours, project, client_of, clerk):
    Item.objects.update(project=project)
    sent = {"ids": Item.objects.get().pk, "all": 1, "confirm": 1, "reason": "x"}
    answer = client_of(clerk).post(address(*url, ours), sent)
    assert answer.status_code == 403
    assert "do not include exporting" in answer.text

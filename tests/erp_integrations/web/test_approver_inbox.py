"""What waits for an approver: the page they land on, and the count in the menu."""

from __future__ import annotations

import pytest
from django.urls import reverse

from erp_integrations.models import Item
from erpbridge.access.levels import Level
from tests.erp_integrations import steps
from tests.factories import (
    CompanyFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    UserFactory,
)

COUNT = '<span class="waiting-count">{}<span class="sr-only"> waiting for you</span></span>'


@pytest.fixture
def home(account):
    return reverse("account", args=[account.pk])


def lands(client, home) -> str:
    return client.get(home).headers["Location"]


def test_an_approver_lands_on_what_waits_and_the_menu_counts_it(
    client_of, account, pat, ada, connection, access_of, home
):
    client = client_of(pat)
    vendors = reverse("erp:items", args=[account.pk, "companies"])
    assert lands(client, home) == vendors  # and reads there that nothing waits
    assert "waiting for you" not in client.get(vendors).text
    companies = [CompanyFactory.create(account=account) for _ in range(3)]
    items = steps.send_all(companies, access_of(ada))
    assert lands(client, home) == vendors
    assert client.get(vendors).text.count(COUNT.format(3)) == 2  # on the menu, and in it
    steps.break_erp(connection, "refuse", times=1)
    assert steps.decide(items, access_of(pat)).done == 3
    steps.export(connection)
    assert lands(client, home) == f"{vendors}?status=failed"
    failed = list(Item.objects.filter(state="failed"))
    assert client.get(vendors).text.count(COUNT.format(len(failed))) == 2
    for item in failed:
        steps.retry(item, access_of(pat))
    steps.export(connection)
    assert "waiting for you" not in client.get(vendors).text


def test_an_approver_of_cost_codes_lands_on_these(
    client_of, account, ada, connection, sent_item, home
):
    user = UserFactory.create()
    membership = MembershipFactory.create(
        user=user,
        account=account,
        can_push_to_accounting=True,
        erp_integrations=Level.STANDARD,
    )
    membership.erp_rights.create(entity="cost_code", can_export=True)
    codes = reverse("erp:items", args=[account.pk, "cost-codes"])
    assert lands(client_of(user), home) == codes
    assert "waiting for you" not in client_of(user).get(codes).text


def test_what_one_sent_oneself_waits_for_another(
    client_of, account, ada, pat, connection, sent_item, home
):
    directory = reverse("directory:account_companies", args=[account.pk])
    assert lands(client_of(ada), home) == directory
    assert COUNT.format(1) in client_of(pat).get(directory).text
    account.senders_may_accept_own = True
    account.save()
    assert lands(client_of(ada), home) == reverse("erp:items", args=[account.pk, "companies"])


def test_who_approves_nothing_lands_and_counts_as_before(
    client_of, account, ada, sam, connection, sent_item, home
):
    directory = reverse("directory:account_companies", args=[account.pk])
    assert lands(client_of(sam), home) == directory
    assert "waiting for you" not in client_of(sam).get(directory).text


def test_who_has_one_project_and_no_tool_of_the_account_lands_in_it(
    client_of, account, project, home
):
    user = UserFactory.create()
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    client = client_of(user)
    end = client.get(reverse("home"), follow=True).redirect_chain[-1][0]
    assert end == reverse("directory:project_companies", args=[account.pk, project.pk])
    second = ProjectFactory.create(account=account)
    ProjectMembershipFactory.create(membership=membership, project=second, directory=Level.ADMIN)
    assert lands(client, home) == reverse("access:projects", args=[account.pk])

"""What cost codes add to the ERP Integrations tool, and to connections made before them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.connections import services as connection_services
from erp_integrations.models import ActiveConnection
from erpbridge.access.levels import Level
from tests.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db


def pages(client, account):
    answer = client.get(reverse("erp:items", args=[account.pk, "cost-codes"]))
    return {kind.label: kind.href for kind in answer.context["kinds"]}


def test_the_cost_types_matrix_opens_beside_the_cost_codes(client_of, ada, account, erp_list):
    href = pages(client_of(ada), account)["Cost Types"]
    assert href == reverse("admin_wbs:matrix", args=[account.pk, erp_list.pk])
    assert client_of(ada).get(href).status_code == 200


@pytest.mark.parametrize("tool", ["directory", "admin", "erp_integrations"])
@pytest.mark.parametrize("level", [Level.READ_ONLY, Level.STANDARD, Level.ADMIN])
def test_whoever_sees_a_link_to_the_matrix_may_open_it(client_of, account, erp_list, tool, level):
    user = UserFactory.create()
    MembershipFactory.create(user=user, account=account, **{tool: level})
    client = client_of(user)
    href = reverse("admin_wbs:matrix", args=[account.pk, erp_list.pk])
    places = [
        reverse("erp:items", args=[account.pk, "cost-codes"]),
        reverse("admin_wbs:list", args=[account.pk, erp_list.pk]),
        reverse("admin_wbs:cost_types", args=[account.pk]),
    ]
    responses = [client.get(place) for place in places]
    linked = any(href in response.text for response in responses if response.status_code == 200)
    assert client.get(href).status_code == (200 if linked else 403)


def test_without_an_erp_or_the_right_to_see_codes_there_is_none(client_of, ada, account, erp_list):
    user = UserFactory.create()
    MembershipFactory.create(user=user, account=account, erp_integrations=Level.STANDARD)
    assert list(pages(client_of(user), account)) == ["Companies", "Cost Codes"]
    ActiveConnection.objects.all().delete()
    assert "Cost Types" not in pages(client_of(ada), account)


@pytest.fixture
def older(connection):
    """A connection that was activated before cost codes existed."""
    ActiveConnection.objects.filter(connection=connection, entity="cost_code").delete()
    CodeList.objects.all().delete()
    return connection


def test_a_refresh_gives_an_older_connection_its_list_of_cost_codes(older, ada, account):
    assert connection_services.refresh(older, by=ada)
    assert CodeList.objects.get(account=account).connection_id == older.pk
    assert connection_services.active(account.pk, "cost_code") == older
    assert connection_services.refresh(older, by=ada)
    assert CodeList.objects.count() == 1


def test_a_refresh_of_a_connection_that_is_not_in_use_takes_nothing_up(older, ada, account):
    ActiveConnection.objects.all().delete()
    assert connection_services.refresh(older, by=ada)
    assert not ActiveConnection.objects.exists()
    assert not CodeList.objects.exists()

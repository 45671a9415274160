"""What cost codes add to the ERP Integrations tool, and to connections that are older than they."""

from __future__ import annotations

import pytest

from admin_wbs.models import CodeList
from erp_integrations import connections
from erp_integrations.models import ActiveConnection

pytestmark = pytest.mark.django_db


@pytest.fixture
def older(connection):
    """A connection that was activated before cost codes existed."""
    ActiveConnection.objects.filter(connection=connection, entity="cost_code").delete()
    CodeList.objects.all().delete()
    return connection


def test_a_refresh_gives_an_older_connection_its_list_of_cost_codes(older, ada, account):
    assert connections.refresh(older, by=ada)
    assert CodeList.objects.get(account=account).connection_id == older.pk
    assert connections.active(account.pk, "cost_code") == older
    assert connections.refresh(older, by=ada)
    assert CodeList.objects.count() == 1


def test_a_refresh_of_a_connection_that_is_not_in_use_takes_nothing_up(older, ada, account):
    ActiveConnection.objects.all().delete()
    assert connections.refresh(older, by=ada)
    assert not ActiveConnection.objects.exists()
    assert not CodeList.objects.exists()

"""A second connection: made active for a record type, or not, with every reason."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection
from erp_integrations.sendable import retrieve
from erp_integrations.workflow.send import dry_run
from tests.erp_integrations import steps


@pytest.fixture
def second(account, ada, connection) -> Connection:
    """Another simulator, which serves nothing yet."""
    made = connection_settings.create(
        account=account, name="New books", adapter="simulator", config={}, by=ada
    )
    connection_services.activate(made, by=ada)
    assert connection_services.active(account.pk, "vendor") == connection
    return made


def page(client, account):
    return client.get(reverse("erp:connection", args=[account.pk])).text


def use(client, connection, slug):
    url = reverse("erp:connection_act", args=[connection.account_id, connection.pk])
    return client.post(url, {"act": "use", "kind": slug}, follow=True).text


def test_a_second_connection_is_made_active_for_one_record_type(
    client_of, ada, account, connection, second
):
    client = client_of(ada)
    assert "Use it for Companies" in page(client, account)
    assert "Companies are exported through New books from now on." in use(
        client, second, "companies"
    )
    assert connection_services.active(account.pk, "vendor") == second
    assert connection_services.active(account.pk, "cost_code") == connection
    assert "Use it for Companies" in page(client, account)  # the first one, to go back


def test_cost_codes_go_to_a_list_of_the_second_connection(
    client_of, ada, account, connection, second
):
    before = list_services.erp_list(account.pk)
    use(client_of(ada), second, "cost-codes")
    assert connection_services.active(account.pk, "cost_code") == second
    assert list_services.erp_list(account.pk) != before


def test_what_is_open_stands_against_it_and_is_counted(
    client_of, ada, account, access_of, connection, second, sent_item, company
):
    client = client_of(ada)
    why = "1 company is still open with Ledger: waiting for accounting"
    assert why in page(client, account)
    assert why in use(client, second, "companies")
    assert connection_services.active(account.pk, "vendor") == connection
    retrieve("vendor", [company.pk], access=access_of(ada))
    use(client, second, "companies")
    assert connection_services.active(account.pk, "vendor") == second


def test_linked_records_stand_against_it(client_of, ada, account, synced_company, second):
    assert "1 company is linked to Ledger" in use(client_of(ada), second, "companies")
    assert connection_services.active(account.pk, "vendor") != second


def test_a_record_type_that_it_does_not_take_is_named(ada, account, connection, second):
    Connection.objects.filter(pk=second.pk).update(adapter="gone")
    second.refresh_from_db()
    with pytest.raises(dry_run.NotUsed) as refused:
        dry_run.use_for(second, "vendor", by=ada)
    assert refused.value.reasons == ("New books does not take companies.",)
    assert connection_services.active(account.pk, "vendor") == connection


def test_who_may_not_configure_is_offered_nothing(client_of, pat, account, connection, second):
    membership = pat.memberships.get()
    membership.erp_integrations = 2
    membership.save()
    client = client_of(pat)
    assert "Use it for" not in page(client, account)
    url = reverse("erp:connection_act", args=[account.pk, second.pk])
    assert client.post(url, {"act": "use", "kind": "companies"}).status_code == 403
    assert steps.ledger_of(connection).effects() == []

"""From a click in the Directory to a row in Tryton's own database, through the whole product."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from erp_integrations import connections
from erp_integrations.models import Connection
from erp_integrations.states import State
from erpbridge.access import policy
from tests.adapters.tryton.conftest import done, party, vendor
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


@pytest.fixture
def connection(erp, account, ada) -> Connection:
    config = {"url": erp.url, "company": "1", "root": "COSTCODES"}
    made = connections.create(
        account=account,
        name="Tryton",
        adapter="tryton",
        config=config,
        secrets={"key": erp.facts["key"]},
        by=ada,
    )
    connections.activate(made, by=ada)
    assert connections.test(made, by=ada), made.test_result
    assert connections.refresh(made, by=ada), made.refresh_problem
    return made


@pytest.mark.django_db(transaction=True)
def test_an_accepted_company_is_a_party_and_a_renamed_one_is_renamed(
    erp, connection, account, ada, pat
):
    access = policy.load(ada, account), policy.load(pat, account)
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC")
    items = steps.send_all([company], access[0])
    assert steps.decide(items, access[1], vendor_id="QUARRY01", vendor_type="").done == 1
    steps.export(connection)
    company.refresh_from_db()
    row = party(erp, "QUARRY01")
    assert (row["name"], row["city"] or "") == ("Quarry & Sons, LLC", company.city)
    assert company.origin_code == "QUARRY01"
    item = steps.update_item(company, access[0], "Quarry & Daughters, LLC")
    steps.decide([item], access[1], vendor_id="QUARRY01", vendor_type="")
    steps.export(connection)
    assert party(erp, "QUARRY01")["name"] == "Quarry & Daughters, LLC"
    assert len(erp.rows("SELECT id FROM party_party WHERE code = 'QUARRY01'")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_company_whose_id_accounting_has_just_used_is_not_written(
    erp, connection, account, ada, pat, adapter
):
    items = steps.send_all([CompanyFactory.create(account=account)], policy.load(ada, account))
    steps.decide(items, policy.load(pat, account), vendor_id="TAKEN1", vendor_type="")
    done(adapter, vendor("TAKEN1"))
    (before,) = erp.rows("SELECT * FROM party_party WHERE code = 'TAKEN1'")
    steps.export(connection)
    (item,) = items
    item.refresh_from_db()
    assert (item.state, item.error_class) == (State.FAILED, "duplicate")
    assert erp.rows("SELECT * FROM party_party WHERE code = 'TAKEN1'") == [before]


@pytest.mark.django_db(transaction=True)
def test_the_newcomers_account_is_connected_once_and_again(erp, settings, monkeypatch):
    settings.MODE = "demo"
    monkeypatch.setenv("ERPBRIDGE_TRYTON_KEY", erp.facts["key"])
    for _ in range(2):
        said = StringIO()
        call_command("seed_tryton", url=erp.url, stdout=said)
        assert "“Tryton Trial” works" in said.getvalue()
        assert erp.facts["key"] not in said.getvalue()
    assert Connection.objects.filter(adapter="tryton").count() == 1

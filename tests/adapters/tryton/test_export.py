"""From a click in the Directory to a row in Tryton's own database, through the whole product."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from admin_wbs.models import CodeList
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection, Halt, Item
from erp_integrations.models.states import State
from erp_integrations.sendable import Origin, link, send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.links import unlink as unlink_services
from erpbridge.access import policy
from tests.adapters.tryton.conftest import done, party, vendor
from tests.erp_integrations import steps
from tests.factories import CompanyFactory, CostCodeFactory


@pytest.fixture
def connection(proxied, faults, erp, account, ada) -> Connection:
    config = {"url": proxied[0], "company": "1", "root": "COSTCODES"}
    made = connection_settings.create(
        account=account,
        name="Tryton",
        adapter="tryton",
        config=config,
        secrets={"key": erp.facts["key"]},
        by=ada,
    )
    connection_services.activate(made, by=ada)
    assert connection_services.test(made, by=ada), made.test_result
    assert connection_services.refresh(made, by=ada), made.refresh_problem
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
def test_what_was_accepted_while_the_host_was_not_allowed_arrives_once_it_is(
    erp, connection, account, ada, pat, settings
):
    allowed = settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS
    settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS = ()
    companies = [CompanyFactory.create(account=account) for _ in range(3)]
    items = steps.send_all(companies, policy.load(ada, account))
    for number, item in enumerate(items):
        steps.decide([item], policy.load(pat, account), vendor_id=f"HOST{number}", vendor_type="")
    steps.export(connection)
    connection.refresh_from_db()
    assert connection.halted_for == Halt.SETUP
    settings.ERPBRIDGE_ALLOWED_PRIVATE_HOSTS = allowed
    steps.let_pass(120)
    steps.export(connection)
    assert set(Item.objects.values_list("state", flat=True)) == {State.SYNCED}
    assert len(erp.rows("SELECT id FROM party_party WHERE code LIKE 'HOST%'")) == 3


@pytest.mark.django_db(transaction=True)
def test_a_cost_code_whose_answer_was_lost_is_found_under_its_parent(
    erp, connection, faults, account, ada, pat
):
    group = CostCodeFactory.create(list=CodeList.objects.get(account=account), code="07")
    code = CostCodeFactory.create(list=group.list, parent=group, code="100")
    for record in (group, code):
        faults.set("cut_after", calls=int(record is code))
        assert send("cost_code", [record.pk], access=policy.load(ada, account)).done == 1
        item = Item.objects.get(record_id=record.pk)
        decision = accept_services.Decision(item.pk, item.digest)
        accept_services.accept([decision], entity="cost_code", access=policy.load(pat, account))
        steps.export(connection)
    item.refresh_from_db()
    assert item.state == State.UNCERTAIN
    steps.let_pass(600)
    steps.export(connection)
    item.refresh_from_db()
    assert (item.state, item.error_text) == (State.SYNCED, "")
    assert len(erp.rows("SELECT id FROM analytic_account_account WHERE code = '07-100'")) == 1


@pytest.mark.django_db(transaction=True)
def test_the_newcomers_account_is_connected_once_and_again(erp, settings, monkeypatch):
    settings.MODE = "demo"
    monkeypatch.setenv("ERPBRIDGE_TRYTON_KEY", erp.facts["key"])
    for _ in range(2):
        said = StringIO()
        call_command("seed_tryton", url=erp.url, stdout=said)
        assert "“Tryton Trial” works" in said.getvalue()
        assert erp.facts["key"] not in said.getvalue()
    (made,) = Connection.objects.filter(adapter="tryton")
    (code_list,) = CodeList.objects.filter(connection_id=made.pk)
    states = set(code_list.codes.values_list("erp_state", flat=True))
    assert states == {"", "ready", "rejected", "synced"}
    arrived = erp.rows(
        "SELECT code FROM analytic_account_account WHERE code LIKE '10%' OR code LIKE '15%'"
    )
    synced = code_list.codes.filter(erp_state="synced").values_list("full_code", flat=True)
    assert sorted(row["code"] for row in arrived) == sorted(synced)


@pytest.mark.django_db(transaction=True)
def test_an_account_of_another_code_that_a_program_named_is_not_renamed(
    erp, connection, account, ada, pat
):
    """A code whose ERP ID came over REST is edited, sent and accepted; nothing is written."""
    access = policy.load(ada, account), policy.load(pat, account)
    codes = CodeList.objects.get(account=account)
    rows = "SELECT * FROM analytic_account_account WHERE code IN ('87', '88') ORDER BY id"
    theirs = CostCodeFactory.create(list=codes, code="87", description="Theirs")
    export_code(theirs, connection, *access)
    (before,) = erp.rows(rows)
    unlink_services.unlink(account.pk, "cost_code", [theirs.pk], by=ada, why="Ours is another")
    ours = CostCodeFactory.create(list=codes, code="88", description="Ours")
    origin = Origin(id=str(before["id"]))
    assert link("cost_code", {ours.pk: origin}, access=access[0]) == {}
    type(ours).objects.filter(pk=ours.pk).update(description="Renamed", revision=2)
    item = export_code(ours, connection, *access)
    assert erp.rows(rows) == [before]
    assert (item.state, item.error_class) == (State.FAILED, "conflict")
    assert "“87” in the ERP, “88” here" in item.error_text


def export_code(code, connection, sender, approver) -> Item:
    """Sent, accepted and handed to Tryton."""
    assert send("cost_code", [code.pk], access=sender).refused == ()
    item = Item.objects.filter(record_id=code.pk).latest("pk")
    decision = accept_services.Decision(item.pk, item.digest)
    assert accept_services.accept([decision], entity="cost_code", access=approver).refused == ()
    steps.export(connection)
    item.refresh_from_db()
    return item

"""The connection test names what is missing, and the refusals of a bad key are told apart."""

from __future__ import annotations

import logging

import pytest
import requests

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass
from tests.adapters.tryton.conftest import adapter_for, cost_code, done, refused, vendor
from tests.servers import free_port


def problem(adapter) -> str:
    health = adapter.check()
    assert not health.ok
    (only,) = health.problems
    return only


def test_a_good_connection_says_what_it_found(adapter, erp):
    health = adapter.check()
    assert health.problems == ()
    assert health.facts == {
        "Company": "Tryton Trial Builders (number 1)",
        "Root of the cost codes": f"COSTCODES (ID {erp.facts['root']})",
    }


def test_a_server_that_is_not_there_is_named(make):
    port = free_port()
    said = problem(make(url=f"http://127.0.0.1:{port}/erp"))
    assert f"127.0.0.1:{port} cannot be reached: Connection refused" in said


def test_a_database_that_is_not_there_is_named(make, tryton_server):
    assert "no such database" in problem(make(url=f"{tryton_server.address}/nothing"))


@pytest.mark.parametrize(
    "url", ["", "erp", "ftp://x/erp", "http://x", "http://u:p@x/erp", "http://x:y/z"]
)
def test_an_address_that_is_none_is_refused_without_a_call(make, url):
    adapter = make(url=url)
    assert problem(adapter).startswith("Address:")
    assert refused(adapter, vendor("URL001")).cls is ErrorClass.SETUP
    assert adapter.preview(vendor("URL001")).fields


def test_a_connection_without_a_key_asks_for_one(make):
    assert problem(make(key=" ")).startswith("Key:")


def test_a_key_that_nobody_validated_is_refused_until_somebody_does(erp, tmp_path):
    asked = requests.post(
        f"{erp.url}/user/application/",
        json={"user": "erpbridge", "application": "rest"},
        timeout=10,
    )
    adapter = adapter_for(erp, tmp_path, key=asked.json())
    assert "was not validated yet" in problem(adapter)
    error = refused(adapter, vendor("KEY001"))
    assert (error.cls, error.effect) == (ErrorClass.AUTH_EXPIRED, Effect.NOT_APPLIED)
    erp.change("UPDATE res_user_application SET state = 'validated' WHERE state = 'requested'")
    assert adapter.check().ok
    done(adapter, vendor("KEY001"))


def test_a_revoked_key_stops_the_batch_and_is_never_told(erp, make, caplog):
    caplog.set_level(logging.DEBUG)
    adapter, key = make(), erp.facts["key"]
    done(adapter, vendor("REV001"))
    erp.change("UPDATE res_user_application SET state = 'cancelled' WHERE key = ?", key)
    try:
        outcomes = adapter.submit([vendor("REV002"), vendor("REV003")])
        assert {outcome.error.cls for outcome in outcomes} == {ErrorClass.AUTH_EXPIRED}
        assert {outcome.error.effect for outcome in outcomes} == {Effect.NOT_APPLIED}
        with pytest.raises(AdapterError) as raised:
            adapter.find("vendor", "REV001")
        assert raised.value.error.cls is ErrorClass.AUTH_EXPIRED
        assert key not in "".join([caplog.text, repr(outcomes), repr(raised.value.error)])
    finally:
        erp.change("UPDATE res_user_application SET state = 'validated' WHERE key = ?", key)
    done(adapter, vendor("REV002"))


def test_a_missing_group_is_named_and_refuses_cost_codes_only(erp, tmp_path):
    adapter = adapter_for(erp, tmp_path, key=erp.facts["key_without_analytic"])
    said = problem(adapter)
    assert "analytic_account.account" in said
    assert "Analytic Administration" in said
    error = refused(adapter, cost_code("40-1", "Piping"))
    assert (error.cls, error.effect) == (ErrorClass.FORBIDDEN, Effect.NOT_APPLIED)
    done(adapter, vendor("GRP001"))


def test_a_party_that_may_not_be_written_is_named(tryton_server, tmp_path):
    erp = tryton_server.erp("no_parties")
    erp.change(
        "INSERT INTO ir_model_access (model, perm_read, perm_write, perm_create, perm_delete,"
        " active) VALUES ('party.party', 1, 0, 0, 0, 1)"
    )
    adapter = adapter_for(erp, tmp_path)
    assert "may not create and write records of party.party" in problem(adapter)
    assert refused(adapter, vendor("ACC001")).cls is ErrorClass.FORBIDDEN


def test_a_wrong_company_is_named(tryton_server, tmp_path):
    # A database of its own: Tryton caches for a while what the user saw of the wrong company.
    erp = tryton_server.erp("wrong_company")
    said = problem(adapter_for(erp, tmp_path, company=erp.facts["other_company"]))
    assert "does not work for company 2 (“Another Company”)" in said
    said = problem(adapter_for(erp, tmp_path, company=77))
    assert said == (
        "Tryton has no company number 77. There is: 1 (Tryton Trial Builders), 2 (Another Company)."
    )


def test_a_wrong_root_is_named(make):
    assert "no root account “NOPE”" in problem(make(root="NOPE"))


def test_a_missing_module_is_named(tryton_server, tmp_path):
    erp = tryton_server.erp("no_module")
    erp.change("DELETE FROM ir_model WHERE name = 'analytic_account.account'")
    said = problem(adapter_for(erp, tmp_path))
    assert said == ("Tryton's module analytic_account is not activated. Activate it in Tryton.")


def test_limits_of_the_manifest_are_the_connections(make):
    manifest = make().manifest({"name_limit": 35, "id_limit": 6})
    entity = manifest.entities["vendor"]
    assert entity.max_length("name") == 35
    assert manifest.entities["cost_code"].max_length("description") == 35
    assert entity.acceptance_fields[0].rules[0].value == 6
    assert make().manifest({}).entities["vendor"].max_length("name") == 100

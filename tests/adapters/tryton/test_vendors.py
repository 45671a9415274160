"""Companies arrive in a real Tryton as parties, and only differences are written again."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass, Found, Operation
from tests.adapters.tryton.conftest import (
    FIRM,
    done,
    party,
    refused,
    vendor,
    vendor_update,
)


def test_a_company_is_a_row_in_trytons_own_database(adapter, erp):
    outcome = done(adapter, vendor("ROW001"))
    assert party(erp, "ROW001") == {
        "code": "ROW001",
        "name": "Acme Concrete",
        "active": 1,
        "street": "12 Dover Street",
        "city": "Easton",
        "postal_code": "01601",
        "country": "US",
        "subdivision": "US-MD",
        "phone": "(410) 555-0100",
        "fax": "(410) 555-0101",
        "email": "office@acme.example",
        "website": "http://www.acme.example",
        "us_ein": "91-1144442",
    }
    erp_record = adapter.find("vendor", " ROW001 ")
    assert isinstance(erp_record, Found)
    assert (erp_record.erp_id, erp_record.erp_code) == (outcome.erp_id, "ROW001")
    assert erp_record.erp_version == outcome.erp_version
    assert json.loads(outcome.answer)["status"] == "created"


def test_the_preview_is_what_is_found_afterwards(adapter):
    command = vendor("PRE001", entity_id="91 1144442", name="  Acme & Søns  ")
    wire = adapter.preview(command)
    done(adapter, command)
    data = adapter.find("vendor", "PRE001").data
    written = {field.source: field.value for field in wire.fields}
    assert written["name"] == "Acme & Søns"
    assert {name: data[name] for name in written} == written


def test_the_preview_is_the_message_that_is_sent_apart_from_ids(through_proxy, faults, erp):
    command = vendor("PRE002")
    wire = json.loads(through_proxy.preview(command).text)
    done(through_proxy, command)
    (sent,) = faults.written()
    (address,) = wire["addresses"][0][1]
    ids = {
        name: erp.rows(f"SELECT id FROM country_{name} WHERE code = ?", address[name])[0]["id"]
        for name in ("country", "subdivision")
    }
    address |= ids
    assert json.loads(sent) == wire


@pytest.mark.parametrize(
    "name",
    [
        "Ácme & Søns “Beton”, 東京",
        'O\'Brien; DROP TABLE -- : "quoted" \\ back\\u0000slash',
        "007 Zero, Inc. <b>&amp;</b>",
        "👷 Crane",
    ],
)
def test_every_character_of_a_name_arrives(adapter, erp, name):
    code = f"CH{abs(hash(name)) % 10**6}"
    command = vendor(code, name=name, address=f"{name}\nSuite 2", zip="00501")
    done(adapter, command)
    row = party(erp, code)
    assert (row["name"], row["street"]) == (name, f"{name}\nSuite 2")
    assert row["postal_code"] == "00501"
    assert adapter.find("vendor", code).data["name"] == name


@pytest.mark.parametrize("code", ["0007", "A&B,C", "D:E", 'F"G', "É-1", "a b"])
def test_every_character_of_an_id_arrives(adapter, erp, code):
    done(adapter, vendor(code))
    assert party(erp, code)["code"] == code
    assert adapter.find("vendor", code).erp_code == code
    assert adapter.find("vendor", code + "x") is None


def test_ids_are_told_apart_by_case_as_tryton_does(adapter):
    done(adapter, vendor("Case1"))
    assert adapter.find("vendor", "CASE1") is None
    assert done(adapter, vendor("CASE1")).erp_id != adapter.find("vendor", "Case1").erp_id
    assert adapter.manifest({}).entities["vendor"].key_case_sensitive


def test_a_taken_id_is_refused_and_the_party_stays_as_it_was(adapter, erp):
    done(adapter, vendor("DUP001"))
    before = party(erp, "DUP001"), erp.rows("SELECT * FROM party_party ORDER BY id")
    error = refused(adapter, vendor("DUP001", intent="another", name="Another"))
    assert (error.cls, error.effect) == (ErrorClass.DUPLICATE, Effect.NOT_APPLIED)
    assert error.field == "vendor_id"
    assert (party(erp, "DUP001"), erp.rows("SELECT * FROM party_party ORDER BY id")) == before


def test_an_inactive_party_holds_its_id_too(adapter, erp):
    outcome = done(adapter, vendor("OFF001"))
    off = replace(vendor_update(outcome), operation=Operation.DEACTIVATE)
    done(adapter, off)
    assert party(erp, "OFF001")["active"] == 0
    assert adapter.find("vendor", "OFF001").data["is_active"] is False
    assert refused(adapter, vendor("OFF001")).cls is ErrorClass.DUPLICATE
    again = done(adapter, off)
    assert json.loads(again.answer)["status"] == "unchanged"


def test_eight_creates_at_once_make_one_party(make, erp):
    adapters = [make() for _ in range(8)]
    # Tryton loads a database at its first request, and refuses others until it has.
    adapters[0].find("vendor", "RACE01")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda adapter: adapter.submit([vendor("RACE01")])[0], adapters))
    assert len([outcome for outcome in outcomes if outcome.error is None]) == 1
    assert {outcome.error.cls for outcome in outcomes if outcome.error} == {ErrorClass.DUPLICATE}
    assert len(erp.rows("SELECT id FROM party_party WHERE code = 'RACE01'")) == 1


def test_an_update_writes_only_what_differs(through_proxy, faults, erp):
    outcome = done(through_proxy, vendor("UPD001"))
    tables = ("party_address", "party_contact_mechanism", "party_identifier")
    before = [erp.rows(f"SELECT id, write_date FROM {table} ORDER BY id") for table in tables]
    faults.set("")
    changed = done(through_proxy, vendor_update(outcome, name="Acme Concrete, LLC"))
    assert [json.loads(write) for write in faults.written()] == [{"name": "Acme Concrete, LLC"}]
    assert party(erp, "UPD001")["name"] == "Acme Concrete, LLC"
    assert before == [
        erp.rows(f"SELECT id, write_date FROM {table} ORDER BY id") for table in tables
    ]
    faults.set("")
    same = done(through_proxy, vendor_update(changed, name="Acme Concrete, LLC"))
    assert faults.written() == []
    assert json.loads(same.answer)["status"] == "unchanged"
    assert same.erp_version == changed.erp_version


def test_an_update_adds_changes_and_ends_each_part(adapter, erp):
    first = done(adapter, vendor("UPD002"))
    second = done(
        adapter,
        vendor_update(
            first,
            city="Dallas",
            state_code="TX",
            business_phone="214 555 0102",
            mobile_phone="214 555 0103",
            fax_number="",
            entity_id="52-1234567",
        ),
    )
    row = party(erp, "UPD002")
    assert (row["city"], row["subdivision"]) == ("Dallas", "US-TX")
    assert (row["phone"], row["mobile"]) == ("214 555 0102", "214 555 0103")
    assert "fax" not in row
    assert row["us_ein"] == "52-1234567"
    blank = dict.fromkeys(["address", "city", "state_code", "zip"], "")
    done(adapter, vendor_update(second, **blank, entity_type="", entity_id="", country_code="US"))
    row = party(erp, "UPD002")
    assert (row["street"], row["city"], row.get("us_ein")) == (None, None, None)
    ids = erp.rows(
        "SELECT count(*) AS n FROM party_address JOIN party_party ON party_party.id = party"
        " WHERE party_party.code = 'UPD002'"
    )
    assert ids == [{"n": 1}]


def test_an_address_can_move_to_another_country_and_lose_its_state(adapter, erp):
    first = done(adapter, vendor("UPD003"))
    second = done(adapter, vendor_update(first, country_code="CA", state_code="BC"))
    assert party(erp, "UPD003")["subdivision"] == "CA-BC"
    done(adapter, vendor_update(second, country_code="MX", state_code=""))
    row = party(erp, "UPD003")
    assert (row["country"], row["subdivision"]) == ("MX", None)


def test_a_stale_version_is_a_conflict_and_writes_nothing(adapter, erp):
    first = done(adapter, vendor("OLD001"))
    done(adapter, vendor_update(first, business_phone="1"))
    before = party(erp, "OLD001")
    error = refused(adapter, vendor_update(first, business_phone="2"))
    assert (error.cls, error.effect) == (ErrorClass.CONFLICT, Effect.NOT_APPLIED)
    assert party(erp, "OLD001") == before


def test_the_same_update_again_is_no_conflict(adapter):
    first = done(adapter, vendor("OLD002"))
    command = vendor_update(first, name="Acme Again")
    assert done(adapter, command).erp_version == done(adapter, command).erp_version


def test_the_id_of_a_party_is_not_changed(adapter):
    first = done(adapter, vendor("FIX001"))
    command = replace(vendor_update(first), acceptance={"vendor_id": "FIX002"})
    error = refused(adapter, command)
    assert (error.cls, error.field) == (ErrorClass.INVALID, "vendor_id")


def test_a_bad_ein_is_refused_before_sending_and_by_tryton(adapter, erp):
    command = vendor("EIN001", entity_id="07-1234567")
    (problem,) = adapter.validate(command)
    assert (problem.field, problem.current) == ("entity_id", "07-1234567")
    error = refused(adapter, command)
    assert (error.cls, error.effect) == (ErrorClass.INVALID, Effect.NOT_APPLIED)
    assert error.field == "entity_id"
    assert "Employer Identification Number" in error.message
    assert erp.rows("SELECT id FROM party_party WHERE code = 'EIN001'") == []


def test_a_number_of_another_kind_than_ein_is_said_before_sending_and_not_sent(adapter, erp):
    command = vendor("SSN001", entity_type="ssn", entity_id="000-00-0000")
    (problem,) = adapter.validate(command)
    assert "SSN 000-00-0000 would not arrive: Tryton keeps US employer numbers" in problem.message
    done(adapter, command)
    assert "us_ein" not in party(erp, "SSN001")


@pytest.mark.parametrize(
    "payload, field",
    [({"state_code": "ZZ"}, "state_code"), ({"country_code": "ZZ"}, "country_code")],
)
def test_a_place_that_tryton_does_not_know_is_a_missing_reference(adapter, erp, payload, field):
    error = refused(adapter, vendor("GEO001", **payload))
    assert (error.cls, error.field) == (ErrorClass.MISSING_REF, field)
    assert erp.rows("SELECT id FROM party_party WHERE code = 'GEO001'") == []


def test_an_address_without_a_country_is_at_home_and_a_country_alone_is_none(adapter, make, erp):
    done(adapter, vendor("HOME01", country_code=""))
    assert party(erp, "HOME01")["country"] == "US"
    done(make(home_country="ca"), vendor("HOME02", country_code="", state_code="ON"))
    assert party(erp, "HOME02")["subdivision"] == "CA-ON"
    nowhere = dict.fromkeys(["address", "city", "state_code", "zip"], "")
    done(adapter, vendor("HOME03", **nowhere))
    assert party(erp, "HOME03")["country"] is None


def test_the_category_is_chosen_from_trytons_list_and_added(adapter, erp):
    choices = adapter.choices("vendor_type")
    assert [choice.label for choice in choices] == ["Subcontractor", "Supplier"]
    first = done(adapter, vendor("CAT001", category=choices[0].code))
    done(adapter, replace(vendor_update(first), acceptance={"vendor_type": choices[1].code}))
    rows = erp.rows(
        'SELECT category FROM "party_party-party_category" AS rel JOIN party_party'
        " ON party_party.id = rel.party WHERE party_party.code = 'CAT001' ORDER BY 1"
    )
    assert [str(row["category"]) for row in rows] == [choice.code for choice in choices]
    error = refused(adapter, vendor("CAT002", category="999"))
    assert (error.cls, error.field) == (ErrorClass.MISSING_REF, "vendor_type")


@pytest.mark.parametrize("name", ["Acme \ud800", "Acme \x00"])
def test_what_no_database_stores_is_refused_before_sending(through_proxy, faults, name):
    error = refused(through_proxy, vendor("BAD001", name=name))
    assert (error.cls, error.effect) == (ErrorClass.INVALID, Effect.NOT_APPLIED)
    assert faults.written() == []


def test_one_bad_record_does_not_stop_the_others(adapter, erp):
    commands = [vendor("BAT001"), vendor("BAT002", entity_id="99-12"), vendor("BAT003")]
    outcomes = adapter.submit(commands)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert [outcome.erp_code for outcome in outcomes] == ["BAT001", "", "BAT003"]
    assert erp.rows("SELECT count(*) AS n FROM party_party WHERE code LIKE 'BAT%'") == [{"n": 2}]


@pytest.mark.parametrize("erp_id", ["999999", "", "nonsense", "-1", "1/../2"])
def test_updating_what_is_gone_is_a_missing_reference(adapter, erp_id):
    command = replace(vendor_update(done_once(adapter)), erp_id=erp_id, erp_version="")
    error = refused(adapter, command)
    assert (error.cls, error.effect) == (ErrorClass.MISSING_REF, Effect.NOT_APPLIED)


def done_once(adapter) -> Found:
    if adapter.find("vendor", "ONCE") is None:
        done(adapter, vendor("ONCE"))
    return adapter.find("vendor", "ONCE")


def test_unknown_entities_are_unsupported(adapter):
    command = replace(vendor("NO"), entity="job")
    assert refused(adapter, command).cls is ErrorClass.UNSUPPORTED
    with pytest.raises(AdapterError, match="job"):
        adapter.find("job", "1")
    with pytest.raises(AdapterError, match="gl_account"):
        adapter.choices("gl_account")


def test_all_parties_come_page_by_page(adapter, erp, monkeypatch):
    monkeypatch.setattr("erp_integrations.adapters.tryton.records.PAGE_SIZE", 3)
    for number in range(4):
        done(adapter, vendor(f"PAGE{number}"))
    off = replace(vendor_update(adapter.find("vendor", "PAGE0")), operation=Operation.DEACTIVATE)
    done(adapter, off)
    records, cursor, pages = [], "", 0
    while True:
        page = adapter.pull("vendor", cursor)
        records += page.records
        pages += 1
        if not page.cursor:
            break
        cursor = page.cursor
    rows = erp.rows("SELECT id, code FROM party_party ORDER BY id")
    assert [(int(record.erp_id), record.erp_code) for record in records] == [
        (row["id"], row["code"]) for row in rows
    ]
    assert pages == -(-len(rows) // 3)
    by_code = {record.erp_code: record for record in records}
    assert by_code["PAGE0"].data["is_active"] is False
    assert by_code["PAGE1"].data["name"] == FIRM["name"]

"""The payload fields that adapters rely on are those that both apps put into their drafts."""

from __future__ import annotations

import pytest

from admin_wbs.erp.record_type import CostCodeType
from admin_wbs.models import CostCode
from directory.erp.record_type import VendorType
from directory.models import Company
from erp_integrations.adapters.conformance.payload import SAMPLES, blank
from erp_integrations.adapters.payloads import PAYLOADS, Kind, known_names
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.models.record_types import Draft
from tests.factories import CompanyFactory, CostCodeFactory

VALUES = {Kind.TEXT: str, Kind.FLAG: bool, Kind.TEXTS: list}


def draft_of(entity: str, account_id: int) -> Draft:
    if entity == "vendor":
        record = CompanyFactory.create(account_id=account_id)
        return VendorType().drafts(account_id, [record.pk])[0]
    code = CostCodeFactory.create(list__account_id=account_id)
    return CostCodeType().drafts(account_id, [code.pk])[0]


@pytest.mark.parametrize("entity", PAYLOADS)
def test_a_draft_has_the_described_fields_with_values_of_their_kind(entity, account):
    payload = draft_of(entity, account.pk).payload
    assert {field.name for field in PAYLOADS[entity]} == set(payload)
    for field in PAYLOADS[entity]:
        assert isinstance(payload[field.name], VALUES[field.kind]), field.name


@pytest.mark.parametrize("entity, model", [("vendor", Company), ("cost_code", CostCode)])
def test_a_text_is_as_long_as_its_column(entity, model):
    for field in PAYLOADS[entity]:
        if field.kind is Kind.TEXT:
            assert model._meta.get_field(field.name).max_length == field.length, field.name
        else:
            assert field.length is None, field.name


@pytest.mark.parametrize("entity", PAYLOADS)
def test_every_field_has_a_meaning_and_a_value_that_the_kit_can_send(entity):
    fields = {field.name: field for field in PAYLOADS[entity]}
    assert [name for name, field in fields.items() if not field.meaning] == []
    for name, value in SAMPLES[entity].items():
        field = fields[name]
        assert isinstance(value, VALUES[field.kind]), name
        assert field.length is None or len(str(value)) <= field.length, name
    # The codes of a cost code come from the harness, since they are its key.
    assert set(fields) - set(SAMPLES[entity]) <= {"code", "full_code", "path"}
    assert set(blank(entity)) == set(fields)


def test_values_of_a_record_also_have_the_names_of_acceptance_and_the_parent():
    entity = SimulatorAdapter.manifest({}).entities["cost_code"]
    names = known_names(entity)
    assert {"description", "income_account", "parent"} <= names
    assert "kind" not in names

"""Clients that others published for Procore work with erpbridge unchanged."""

from __future__ import annotations

import pytest

from admin_wbs.models import CostCode
from directory.models import Company
from erpbridge.access.models import Project
from tests.erp_integrations import steps

pytestmark = pytest.mark.django_db(transaction=True)


CODES = ["01", "01-010", "01-020", "03", "03-100", "03-200", "16", "16-050", "17"]
LISTS = [["Standard Cost Codes", False], ["ERP Standard Cost Codes", True]]


def names(company: str) -> set[str]:
    return set(Company.objects.filter(account=int(company)).values_list("name", flat=True))


# --- @procore/js-sdk --------------------------------------------------------------------------


def test_procores_javascript_sdk_creates_pages_filters_and_syncs(javascript, credentials):
    result = javascript("story")
    assert result["expires"] == 5400
    assert result["created"] == [201, 201, 201]
    assert result["pages"] == [["Alder Steel", "Birch Glass"], ["Cedar Roofing"]]
    assert result["chosen"] == result["ids"]
    assert result["entities"] == ["Alder Steel Ltd.", "Dogwood Paint"]
    assert result["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert result["name"] == "Alder Steel Ltd."
    assert (result["application"], result["revoked"]) == (True, {})
    refused = result["refused"]
    assert refused["unauthorized"]["status"] == refused["revoked"]["status"] == 401
    assert refused["missing"]["status"] == 404
    assert refused["invalid"]["status"] == 422
    assert set(refused["invalid"]["errors"]) == {"name"}
    assert refused["click"]["status"] == 422
    assert "connection" in refused["click"]["errors"]
    vendor_names = names(credentials["COMPANY_ID"])
    assert vendor_names == {"Alder Steel Ltd.", "Birch Glass", "Cedar Roofing", "Dogwood Paint"}


def test_procores_javascript_sdk_is_told_when_to_come_back(javascript, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 2
    calls = javascript("limited")
    assert [call["status"] for call in calls] == [0, 0, 429, 429]
    assert 0 < int(calls[-1]["retryAfter"]) <= 3600
    assert int(calls[-1]["reset"]) > 1_700_000_000


def test_procores_javascript_sdk_lists_creates_and_syncs_cost_codes(javascript):
    result = javascript("costCodes")
    assert result["lists"] == LISTS
    assert (result["created"], result["full"]) == ([201, 201], "16-050")
    assert result["entities"] == ["Cables", "Controls"]
    assert result["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert result["codes"] == CODES


def test_procores_javascript_sdk_sends_another_accepts_and_both_are_synced(
    javascript, connection, approver
):
    sent = javascript("send")
    assert (sent["statuses"], sent["state"], sent["done"]) == ([201, 201], "ready_to_export", 1)
    accepted = javascript("accept", **approver)
    assert accepted == [["standard_cost_code", 200, "exporting"], ["vendor", 200, "exporting"]]
    steps.export(connection)
    result = javascript("state", VENDOR=str(sent["vendor"]))
    assert (result["state"], result["vendor"]["synced_to_erp"]) == ("synced", True)
    assert result["vendor"]["origin_id"]
    assert CostCode.objects.exclude(origin_id="").get().full_code == "16"


# --- pyprocore --------------------------------------------------------------------------------


def test_pyprocore_creates_pages_lists_and_syncs(python, credentials):
    result = python("pyprocore", "story")
    assert result["companies"] == [int(credentials["COMPANY_ID"])]
    assert result["pages"] == ["Alder Steel", "Birch Glass", "Cedar Roofing"]
    assert result["vendors"] == ["Alder Steel Ltd.", "Birch Glass", "Cedar Roofing"]
    assert result["one"] == "Alder Steel Ltd."
    assert result["projects"] == 1
    assert result["synced"] == ["Alder Steel Ltd."]
    assert result["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert result["missing"]["class"] == "ResourceNotFoundError"
    assert (result["invalid"]["status"], set(result["invalid"]["body"]["errors"])) == (
        422,
        {"name"},
    )
    assert result["click"]["status"] == 422
    assert "Alder Steel Ltd." in names(credentials["COMPANY_ID"])


def test_pyprocore_lists_creates_and_syncs_cost_codes(python):
    result = python("pyprocore", "costCodes")
    assert (result["lists"], result["full"], result["codes"]) == (LISTS, "16-050", CODES)
    assert result["entities"] == ["Cables", "Controls"]
    assert result["errors"] == [{"id": ["Entity with this ID not found"]}]


def test_pyprocore_sends_another_accepts_and_both_are_synced(python, connection, approver):
    sent = python("pyprocore", "send")
    assert (sent["state"], sent["done"]) == ("ready_to_export", 1)
    other = {f"PROCORE_{name}": approver[name] for name in ("CLIENT_ID", "CLIENT_SECRET")}
    accepted = python("pyprocore", "accept", **other)
    assert accepted == [["standard_cost_code", "exporting"], ["vendor", "exporting"]]
    steps.export(connection)
    result = python("pyprocore", "state", VENDOR=str(sent["vendor"]))
    assert (result["state"], result["vendor"]["synced_to_erp"]) == ("synced", True)
    assert CostCode.objects.exclude(origin_id="").get().full_code == "16"


def test_pyprocore_reads_what_only_it_asks_for(python):
    result = python("pyprocore", "aliases")
    assert result == {
        "types": ["L", "E", "M", "S", "OC", "SVC", "O"],
        "codes": 6,
        "budget": 0,
        "departments": 0,
    }


def test_pyprocore_knows_a_wrong_secret(python):
    result = python("pyprocore", "unauthorized", PROCORE_CLIENT_SECRET="wrong")
    assert result["class"] == "AuthenticationError"


def test_pyprocore_knows_the_limit(python, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 1
    result = python("pyprocore", "limited")
    assert (result["class"], result["status"]) == ("RateLimitError", 429)
    assert result["body"]["message"].startswith("You have surpassed the max number of requests")


# --- procore ----------------------------------------------------------------------------------


def test_procore_lists_companies_and_projects_without_a_header(python, credentials):
    result = python("procore", "story")
    assert result["companies"] == [int(credentials["COMPANY_ID"])]
    mine = Project.objects.filter(account=int(credentials["COMPANY_ID"]))
    assert result["projects"] == list(mine.values_list("name", flat=True))
    assert result["missing"]["class"] == "NotFoundItemError"
    assert result["malformed"]["class"] == "WrongParamsError"
    assert result["unauthorized"]["class"] == "InvalidTokenError"
    assert result["unauthorized"]["body"]["errors"] == "The access token is invalid"


def test_procore_knows_a_wrong_secret(python):
    result = python("procore", "wrong_secret")
    assert result["class"] == "UnauthorizedClientError"
    assert result["body"]["error"] == "invalid_client"


def test_procore_is_told_of_the_limit(python, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 2
    result = python("procore", "limited")
    assert result["class"] == "ProcoreError"
    assert result["body"]["code"] == 429


# --- openapi-python-client ----------------------------------------------------------------------


def test_a_client_generated_from_the_description_works_with_types(python):
    result = python("generated", "")
    assert result == {
        "skipped": False,
        "seconds": 5400,
        "types": ["Vendor", "Error", "Vendor", "Error"],
        "city": "Salem",
        "same": True,
        "errors": {"name": ["This field cannot be blank."]},
        "code": 404,
    }

"""Clients that others published for Procore work against erpbridge unchanged."""

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
    told = javascript("story")
    assert told["expires"] == 5400
    assert told["created"] == [201, 201, 201]
    assert told["pages"] == [["Alder Steel", "Birch Glass"], ["Cedar Roofing"]]
    assert told["chosen"] == told["ids"]
    assert told["entities"] == ["Alder Steel Ltd.", "Dogwood Paint"]
    assert told["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert told["name"] == "Alder Steel Ltd."
    assert (told["application"], told["revoked"]) == (True, {})
    refused = told["refused"]
    assert refused["unauthorized"]["status"] == refused["revoked"]["status"] == 401
    assert refused["missing"]["status"] == 404
    assert refused["invalid"]["status"] == 422
    assert set(refused["invalid"]["errors"]) == {"name"}
    assert refused["click"]["status"] == 422
    assert "connection" in refused["click"]["errors"]
    found = names(credentials["COMPANY_ID"])
    assert found == {"Alder Steel Ltd.", "Birch Glass", "Cedar Roofing", "Dogwood Paint"}


def test_procores_javascript_sdk_is_told_when_to_come_back(javascript, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 2
    told = javascript("limited")
    assert [one["status"] for one in told] == [0, 0, 429, 429]
    assert 0 < int(told[-1]["retryAfter"]) <= 3600
    assert int(told[-1]["reset"]) > 1_700_000_000


def test_procores_javascript_sdk_lists_creates_and_syncs_cost_codes(javascript):
    told = javascript("costCodes")
    assert told["lists"] == LISTS
    assert (told["created"], told["full"]) == ([201, 201], "16-050")
    assert told["entities"] == ["Cables", "Controls"]
    assert told["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert told["codes"] == CODES


def test_procores_javascript_sdk_sends_another_accepts_and_both_are_synced(
    javascript, connection, approver
):
    sent = javascript("send")
    assert (sent["statuses"], sent["state"], sent["done"]) == ([201, 201], "ready_to_export", 1)
    accepted = javascript("accept", **approver)
    assert accepted == [["standard_cost_code", 200, "exporting"], ["vendor", 200, "exporting"]]
    steps.export(connection)
    told = javascript("state", VENDOR=str(sent["vendor"]))
    assert (told["state"], told["vendor"]["synced_to_erp"]) == ("synced", True)
    assert told["vendor"]["origin_id"]
    assert CostCode.objects.exclude(origin_id="").get().full_code == "16"


# --- pyprocore --------------------------------------------------------------------------------


def test_pyprocore_creates_pages_lists_and_syncs(python, credentials):
    told = python("pyprocore", "story")
    assert told["companies"] == [int(credentials["COMPANY_ID"])]
    assert told["pages"] == ["Alder Steel", "Birch Glass", "Cedar Roofing"]
    assert told["vendors"] == ["Alder Steel Ltd.", "Birch Glass", "Cedar Roofing"]
    assert told["one"] == "Alder Steel Ltd."
    assert told["projects"] == 1
    assert told["synced"] == ["Alder Steel Ltd."]
    assert told["errors"] == [{"id": ["Entity with this ID not found"]}]
    assert told["missing"]["class"] == "ResourceNotFoundError"
    assert (told["invalid"]["status"], set(told["invalid"]["body"]["errors"])) == (422, {"name"})
    assert told["click"]["status"] == 422
    assert "Alder Steel Ltd." in names(credentials["COMPANY_ID"])


def test_pyprocore_lists_creates_and_syncs_cost_codes(python):
    told = python("pyprocore", "costCodes")
    assert (told["lists"], told["full"], told["codes"]) == (LISTS, "16-050", CODES)
    assert told["entities"] == ["Cables", "Controls"]
    assert told["errors"] == [{"id": ["Entity with this ID not found"]}]


def test_pyprocore_sends_another_accepts_and_both_are_synced(python, connection, approver):
    sent = python("pyprocore", "send")
    assert (sent["state"], sent["done"]) == ("ready_to_export", 1)
    other = {f"PROCORE_{name}": approver[name] for name in ("CLIENT_ID", "CLIENT_SECRET")}
    accepted = python("pyprocore", "accept", **other)
    assert accepted == [["standard_cost_code", "exporting"], ["vendor", "exporting"]]
    steps.export(connection)
    told = python("pyprocore", "state", VENDOR=str(sent["vendor"]))
    assert (told["state"], told["vendor"]["synced_to_erp"]) == ("synced", True)
    assert CostCode.objects.exclude(origin_id="").get().full_code == "16"


def test_pyprocore_reads_what_only_it_asks_for(python):
    told = python("pyprocore", "aliases")
    assert told == {
        "types": ["L", "E", "M", "S", "OC", "SVC", "O"],
        "codes": 6,
        "budget": 0,
        "departments": 0,
    }


def test_pyprocore_knows_a_wrong_secret(python):
    told = python("pyprocore", "unauthorized", PROCORE_CLIENT_SECRET="wrong")
    assert told["class"] == "AuthenticationError"


def test_pyprocore_knows_the_limit(python, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 1
    told = python("pyprocore", "limited")
    assert (told["class"], told["status"]) == ("RateLimitError", 429)
    assert told["body"]["message"].startswith("You have surpassed the max number of requests")


# --- procore ----------------------------------------------------------------------------------


def test_procore_lists_companies_and_projects_without_a_header(python, credentials):
    told = python("procore", "story")
    assert told["companies"] == [int(credentials["COMPANY_ID"])]
    mine = Project.objects.filter(account=int(credentials["COMPANY_ID"]))
    assert told["projects"] == list(mine.values_list("name", flat=True))
    assert told["missing"]["class"] == "NotFoundItemError"
    assert told["malformed"]["class"] == "WrongParamsError"
    assert told["unauthorized"]["class"] == "InvalidTokenError"
    assert told["unauthorized"]["body"]["errors"] == "The access token is invalid"


def test_procore_knows_a_wrong_secret(python):
    told = python("procore", "wrong_secret")
    assert told["class"] == "UnauthorizedClientError"
    assert told["body"]["error"] == "invalid_client"


def test_procore_is_told_of_the_limit(python, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 2
    told = python("procore", "limited")
    assert told["class"] == "ProcoreError"
    assert told["body"]["code"] == 429


# --- openapi-python-client ----------------------------------------------------------------------


def test_a_client_generated_from_the_description_works_with_types(python):
    told = python("generated", "")
    assert told == {
        "skipped": False,
        "seconds": 5400,
        "types": ["Vendor", "Error", "Vendor", "Error"],
        "city": "Salem",
        "same": True,
        "errors": {"name": ["This field cannot be blank."]},
        "code": 404,
    }

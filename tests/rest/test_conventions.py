"""What holds for every call, whatever it is about."""

from __future__ import annotations

import pytest
from django.test import Client

from erpbridge.access import policy
from erpbridge.oauth import applications, tokens
from tests.factories import MembershipFactory

LIMITS = ("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset")


@pytest.mark.parametrize("path", ["/rest/v1.0/nothing", "/rest", "/oauth/nothing", "/rest/v9.9/me"])
def test_an_unknown_route_is_404_in_json(db, path):
    response = Client().get(path)
    assert response.status_code == 404
    assert response.json() == {"errors": "Not found.", "message": "Not found.", "code": 404}
    assert all(name in response for name in LIMITS)


def test_vapid_says_where_to_go(db):
    assert "/rest/v1.0" in Client().get("/vapid/companies").json()["message"]


def test_a_slash_at_the_end_changes_nothing(api):
    assert api.get("me/").json() == api.get("me").json()


@pytest.mark.parametrize("token", ["", "wrong", "Basic"])
def test_a_bad_token_is_401_before_anything_else(db, token):
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    response = Client().get("/rest/v1.0/companies/999999/me", headers=sent)
    assert response.status_code == 401
    assert response.json()["errors"] == "The access token is invalid"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_method_that_is_not_there_is_405_in_json(api):
    response = api.post("me", {})
    assert (response.status_code, response.json()["code"]) == (405, 405)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_json_that_is_nested_without_end_is_400(api, method):
    deep = b'{"vendor": ' + b'{"a":' * 300 + b"1" + b"}" * 301
    response = api(method, "vendors/sync" if method == "PATCH" else "vendors", deep)
    assert response.status_code == 400
    assert response.json()["message"] == "The body is nested more than 20 levels deep."
    assert api.post("vendors", {"vendor": {"name": "Firm", "x": [[[[1]]]]}}).status_code == 201


def test_two_different_companies_are_refused_and_both_named(api, account):
    response = api.get(f"companies/{account.pk + 1}/me")
    assert response.status_code == 400
    assert f"header Procore-Company-Id says {account.pk}" in response.json()["message"]


@pytest.mark.parametrize("company", ["abc", "-1", "0", "1.5", "9" * 30])
def test_a_company_id_that_is_no_number_is_400(api, account, company):
    response = api.get(f"companies/{account.pk}/me", Procore_Company_Id=company)
    assert response.status_code == 400
    assert "company_id" in response.json()["errors"]


def test_a_company_of_others_looks_as_if_it_did_not_exist(api, other_account):
    api.company = None
    hidden = api.get(f"companies/{other_account.pk}/me")
    missing = api.get("companies/99999999/me")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()
    assert api.get(f"companies/{2**63}/me").status_code == 404


def test_a_company_that_the_application_is_not_connected_to_is_403(
    account, other_account, ada, sam
):
    MembershipFactory.create(user=sam, account=other_account)
    made = applications.create(
        "Estimator", redirect_uris=["https://a.example/"], by=policy.load(ada, account)
    )
    sent = {"Authorization": f"Bearer {tokens.issue(made.application, sam).access}"}
    response = Client().get(f"/rest/v1.0/companies/{other_account.pk}/me", headers=sent)
    assert response.status_code == 403
    assert response.json()["errors"] == ["App is not connected to this company."]


def test_problem_json_is_there_for_whoever_asks(api):
    api.company = None
    response = api.get("companies/99999999/me", Accept="application/problem+json")
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["title"], problem["code"]) == (404, "Not Found", 404)


def test_v2_wraps_errors_in_error(db):
    body = Client().get("/rest/v2.0/nothing").json()
    details = [{"reason_code": "invalid", "message": "Not found.", "source": "base"}]
    assert body == {"error": {"code": "NOT_FOUND", "message": "Not found.", "details": details}}


def test_the_request_id_of_the_caller_is_kept(api):
    assert api.get("me", X_Request_Id="my-id-1")["X-Request-Id"] == "my-id-1"


def test_a_browser_of_any_page_may_ask_and_read_the_headers(db):
    origin = "https://app.example.com"
    sent = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    asked = Client().options("/rest/v1.0/me", headers=sent)
    assert asked.status_code == 200
    assert asked["Access-Control-Allow-Origin"] == origin
    assert "Procore-Sdk-Version" in asked["Access-Control-Allow-Headers"]
    answer = Client().get("/rest/v1.0/me", headers={"Origin": origin})
    assert answer["Access-Control-Allow-Credentials"] == "true"
    exposed = set(answer["Access-Control-Expose-Headers"].split(", "))
    assert {"Link", "Total", "X-Rate-Limit-Reset"} <= exposed
    assert "origin" in answer["Vary"].lower()


@pytest.mark.parametrize("path", ["/rest", "/rest/v1.0/nothing", "/oauth/token", "/vapid/vendors"])
def test_pages_of_any_origin_may_read_errors(db, path):
    answer = Client().get(path, headers={"Origin": "https://app.example.com"})
    assert answer.status_code >= 400
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.com"


@pytest.mark.parametrize("path", ["/rest/docs", "/oauth/authorize", "/oauth/authorize/", "/login/"])
def test_no_other_origin_reads_pages_for_people(db, path):
    answer = Client().get(path, headers={"Origin": "https://app.example.com"})
    assert "Access-Control-Allow-Origin" not in answer


def test_options_outside_a_preflight_request_has_no_body(db):
    answer = Client().options("/rest/v1.0/me")
    assert (answer.status_code, answer.content) == (204, b"")


def test_every_call_counts_and_the_nearest_limit_is_told(api, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 1000
    settings.ERPBRIDGE_REST_CALLS_PER_10_SECONDS = 50
    first = api.get("me")
    assert first["X-Rate-Limit-Limit"] == "50"
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 10
    assert api.get("me")["X-Rate-Limit-Remaining"] == "8"
    assert api.get("me")["X-Rate-Limit-Remaining"] == "7"


def test_too_many_calls_are_429_with_a_time_to_come_back(api, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 2
    assert [api.get("me").status_code for _ in range(3)] == [200, 200, 429]
    refused = api.get("me")
    assert refused.json()["message"].startswith("You have surpassed the max number of requests")
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert refused["X-Rate-Limit-Remaining"] == "0"


def test_limits_are_per_application(api, reader, settings):
    settings.ERPBRIDGE_REST_CALLS_PER_HOUR = 1
    api.get("me")
    assert api.get("me").status_code == 429
    assert reader.get("me").status_code == 200


def test_what_was_read_before_is_304(api):
    tag = api.get("me")["ETag"]
    again = api.get("me", If_None_Match=tag)
    assert (again.status_code, again.content) == (304, b"")


def test_times_end_in_z_without_a_fraction(api, account):
    created = api.get(f"companies/{account.pk}/me").json()["created_at"]
    assert created.endswith("Z")
    assert len(created) == len("2026-11-22T02:00:00Z")


def test_only_the_connected_company_is_listed(api, account, other_account):
    response = api.get("companies")
    assert [company["id"] for company in response.json()] == [account.pk]
    assert response["Total"] == "1"


def test_a_person_is_listed_the_company_of_the_application_only(account, other_account, ada, sam):
    MembershipFactory.create(user=sam, account=other_account)
    made = applications.create(
        "Estimator", redirect_uris=["https://a.example/"], by=policy.load(ada, account)
    )
    sent = {"Authorization": f"Bearer {tokens.issue(made.application, sam).access}"}
    listed = Client().get("/rest/v1.0/companies", headers=sent).json()
    assert [company["id"] for company in listed] == [account.pk]


def test_the_name_of_the_caller_comes_with_a_company(api, account):
    assert set(api.get("me").json()) == {"id", "login"}
    assert api.get(f"me?company_id={account.pk}").json()["name"] == "Nightly sync"

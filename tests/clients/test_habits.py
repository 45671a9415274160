"""What published clients do, over real HTTP.

Point by point: docs/design/procore-rest-conventions.md, "Habits of published clients".
"""

from __future__ import annotations

import re

import pytest
import requests
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from directory.models import Company
from tests.factories import CompanyFactory

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT = 30
# Of a page of vendors in the default view: the caller, the count, the ids, the shape.
MOST_QUERIES = 20


@pytest.fixture
def web(live_server, api):
    """A session that sends what Procore's JS SDK sends, on GET and DELETE too."""
    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {api.token}",
            "Procore-Company-Id": str(api.company),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Procore-Sdk-Version": "js-sdk 6",
        }
    )
    session.base = live_server.url  # type: ignore[attr-defined]
    yield session
    session.close()


def get(web, path: str, **options):
    return web.get(f"{web.base}{path}", timeout=TIMEOUT, **options)


@pytest.mark.parametrize("path", ["/rest/v1.0/nowhere", "/oauth/nowhere", "/rest/v1.0/vendors/1/x"])
def test_1_json_everywhere_errors_and_unknown_routes_too(web, path):
    response = get(web, path)
    assert (response.status_code, response.json()["code"]) == (404, 404)
    assert response.headers["Content-Type"] == "application/json"


def test_2_a_trailing_slash_is_neither_needed_nor_refused(web):
    for path in ("/rest/v1.0/me", "/rest/v1.0/me/"):
        response = get(web, path, allow_redirects=False)
        assert response.status_code == 200


def test_3_and_4_ids_are_integers_and_times_end_in_z(web, account):
    CompanyFactory.create(account=account)
    row = get(web, "/rest/v1.0/vendors").json()[0]
    assert type(row["id"]) is int
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["updated_at"])


def test_5_and_6_bare_arrays_whose_links_rubys_sdk_can_follow(web, account):
    for _ in range(3):
        CompanyFactory.create(account=account)
    response = get(web, "/rest/v1.0/vendors?per_page=2&view=compact")
    assert isinstance(response.json(), list)
    assert (response.headers["Total"], response.headers["Per-Page"]) == ("3", "2")
    links = {}
    for part in response.headers["Link"].split(", "):
        # The pattern of the Ruby SDK requires the version in the address.
        match = re.fullmatch(r'<(.*/rest/v\d\.\d/.*)>; rel="(\w+)"', part)
        links[match[2]] = match[1]
    assert links["next"].startswith(web.base)
    following = web.get(links["next"], timeout=TIMEOUT)
    assert len(following.json()) == 1
    assert 'rel="next"' not in following.headers["Link"]


def test_6_links_use_the_host_that_was_asked_for(web, account):
    for _ in range(2):
        CompanyFactory.create(account=account)
    headers = {"Host": f"localhost:{web.base.rpartition(':')[2]}"}
    link = get(web, "/rest/v1.0/vendors?per_page=1", headers=headers).headers["Link"]
    assert "<http://localhost:" in link


def test_7_created_is_201_and_removed_is_204_without_a_body(web, project):
    url = f"{web.base}/rest/v1.0/projects/{project.pk}/vendors"
    made = web.post(url, json={"vendor": {"name": "Bay Glass"}}, timeout=TIMEOUT)
    assert made.status_code == 201
    removed = web.delete(f"{url}/{made.json()['id']}/actions/remove", timeout=TIMEOUT)
    assert (removed.status_code, removed.content) == (204, b"")


def test_8_and_9_sync_answers_both_lists_and_echoes_bad_rows(web):
    rows = [{"name": "Bay Glass"}, {"id": 999999, "name": "x", "custom": 1}]
    response = web.patch(
        f"{web.base}/rest/v1.0/vendors/sync", json={"updates": rows}, timeout=TIMEOUT
    )
    assert response.status_code == 200
    body = response.json()
    assert len(body["entities"]) == 1
    assert {name: body["errors"][0][name] for name in rows[1]} == rows[1]


def test_10_a_bad_token_is_401_before_the_company_is_looked_at(web):
    headers = {"Authorization": "Bearer wrong", "Procore-Company-Id": "no number"}
    response = get(web, "/rest/v1.0/vendors", headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize("place", ["header", "path", "query", "body"])
def test_11_the_company_comes_from_any_of_four_places(web, account, place):
    del web.headers["Procore-Company-Id"]
    if place == "header":
        response = get(web, "/rest/v1.0/vendors", headers={"Procore-Company-Id": str(account.pk)})
    elif place == "path":
        response = get(web, f"/rest/v1.0/companies/{account.pk}/vendors/inactive")
    elif place == "query":
        response = get(web, f"/rest/v1.0/vendors?company_id={account.pk}")
    else:
        body = {"company_id": account.pk, "vendor": {"name": "Bay Glass"}}
        response = web.post(f"{web.base}/rest/v1.0/vendors", json=body, timeout=TIMEOUT)
    assert response.status_code < 300


def test_12_and_13_what_is_unknown_in_query_and_body_is_ignored(web):
    body = {"vendor": {"name": "Bay Glass", "shoe_size": 9}, "more": [1]}
    response = web.post(f"{web.base}/rest/v1.0/vendors?shoe=1", json=body, timeout=TIMEOUT)
    assert response.status_code == 201


@pytest.mark.parametrize("sort", ["id", "name", "-name"])
def test_14_a_page_reads_its_own_rows_by_an_index_however_many_there_are(api, account, sort):
    Company.objects.bulk_create(
        Company(account=account, name=f"Firm {n}", sort_name=f"firm {n}", name_key=f"firm{n}")
        for n in range(300)
    )
    first, near = asked(api, f"vendors?per_page=100&sort={sort}")
    last, far = asked(api, f"vendors?per_page=100&page=3&sort={sort}")
    assert (len(first.json()), len(last.json()), last["Total"]) == (100, 100, "300")
    assert len(near) == len(far) <= MOST_QUERIES
    page = next(sql for sql in far if "LIMIT 100 OFFSET 200" in sql)
    assert "notes" not in page  # only ids are sorted; the rows are fetched by id
    plan = plan_of(page)
    assert "index" in plan.lower()
    # Only rows with equal names are sorted; the plans of SQLite and PostgreSQL say it differently.
    assert "FOR ORDER BY" not in plan
    assert not re.search(r"(?<!Incremental )Sort  \(", plan)


def asked(api, path: str):
    """An answer, and the SQL statements of its request."""
    with CaptureQueriesContext(database) as taken:
        response = api.get(path)
    return response, [query["sql"] for query in taken.captured_queries]


def plan_of(sql: str) -> str:
    """How the database finds the rows; PostgreSQL reads few rows without an index if it may."""
    with transaction.atomic(), database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {sql}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.parametrize("path", ["/rest/v1.0/me", "/rest/v1.0/nowhere", "/oauth/token"])
def test_15_limits_are_told_on_every_answer(web, path):
    headers = get(web, path).headers
    assert int(headers["X-Rate-Limit-Remaining"]) <= int(headers["X-Rate-Limit-Limit"])
    assert int(headers["X-Rate-Limit-Reset"]) > 1_700_000_000


def test_16_token_answers_tell_when_the_token_was_made(web, api):
    given = {
        "grant_type": "client_credentials",
        "client_id": api.made.application.uid,
        "client_secret": api.made.secret,
    }
    response = requests.post(f"{web.base}/oauth/token", json=given, timeout=TIMEOUT)
    assert isinstance(response.json()["created_at"], int)


def test_get_and_delete_with_a_content_type_and_no_body_are_taken(web, account):
    firm = CompanyFactory.create(account=account)
    assert get(web, f"/rest/v1.0/vendors/{firm.pk}").status_code == 200
    assert web.delete(f"{web.base}/rest/v1.0/vendors/{firm.pk}", timeout=TIMEOUT).status_code == 405

"""Projects over REST."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from directory.companies import services as company_services
from erpbridge.access.levels import Level
from erpbridge.access.models import Project
from erpbridge.access.services import projects
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from tests.factories import CompanyFactory, ProjectFactory

LISTED = {
    *("id", "name", "display_name", "project_number", "address", "city", "state_code"),
    *("country_code", "zip", "county", "time_zone", "latitude", "longitude", "stage"),
    *("project_stage", "project_template", "phone", "created_at", "updated_at", "active"),
    *("is_demo", "origin_id", "origin_data", "origin_code", "owners_project_id", "total_value"),
    *("store_number", "accounting_project_number", "designated_market_area"),
    *("project_region_id", "project_bid_type_id", "project_owner_type_id", "parent_job_id"),
    *("parent_job", "photo_id", "start_date", "completion_date", "projected_finish_date"),
    *("estimated_value", "fax", "sector", "work_scope", "delivery_method", "company"),
    *("created_by", "custom_fields"),
}


def test_projects_are_listed_with_procores_fields(api, project, other_project):
    response = api.get("projects")
    assert [project_row["id"] for project_row in response.json()] == [project.pk]
    assert set(response.json()[0]) == LISTED
    compact = api.get("projects?serializer_view=compact").json()[0]
    assert compact["display_name"] == "1042 Pier 7 Warehouse"


def test_one_project_has_more(api, project):
    body = api.get(f"projects/{project.pk}?company_id={api.company}").json()
    assert set(body) > LISTED
    assert body["is_erp_integrated"] is True


def test_version_1_1_has_views_and_at_most_300_a_page(api, project):
    response = api.get("/rest/v1.1/projects?per_page=1000&view=ids")
    assert (response.json(), response["Per-Page"]) == ([{"id": project.pk}], "300")


def test_all_projects_of_a_company_come_at_once_with_an_address_object(api, account, project):
    body = api.get(f"companies/{account.pk}/projects").json()[0]
    assert set(body["address"]) == {"street", "city", "state_code", "zip", "country_code"}


def test_filters_of_projects(api, account, project, ada):
    other = ProjectFactory.create(account=account, is_active=False, origin_id="J-1")
    firm = CompanyFactory.create(account=account)
    company_services.add_to_project([firm.pk], project=project, by=ada)
    for query, expected in (
        ("by_status]=Active", project),
        ("by_status]=inactive", other),
        ("synced]=true", other),
        ("synced]=false", project),
        ("origin_id]=J-1", other),
        ("name]=pier", project),
        (f"vendor_id]={firm.pk}", project),
    ):
        ids = api.get(f"projects?view=ids&filters[{query}").json()
        assert ids == [{"id": expected.pk}], query


def test_creating_and_changing_a_project(api, account):
    given = {
        "name": "Quarry School",
        "project_number": "77",
        "erp_integrated": True,
        "city": "Salem",
        "start_date": "2026-02-01",
        "origin_id": "J-7",
    }
    made = api.post("projects", {"company_id": account.pk, "project": given})
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("city", "start_date", "origin_id")} == {
        "city": "Salem",
        "start_date": "2026-02-01",
        "origin_id": "J-7",
    }
    path = f"projects/{made.json()['id']}"
    changed = api.patch(path, {"project": {"name": "Quarry Street School", "active": False}})
    assert changed.json()["name"] == "Quarry Street School"
    assert (changed.json()["active"], changed.json()["project_number"]) == (False, "77")
    assert Event.objects.about(account.pk, "project", made.json()["id"]).count() == 2


@pytest.mark.parametrize(
    "field, value",
    [("name", ""), ("name", "x" * 201), ("project_number", "1042"), ("active", "maybe")],
)
def test_what_cannot_be_is_422_and_names_the_field(api, project, field, value):
    response = api.post("projects", {"project": {"name": "New"} | {field: value}})
    assert response.status_code == 422
    assert list(response.json()["errors"]) == [field]
    assert Project.objects.filter(account=api.company).count() == 1


@pytest.mark.parametrize(
    "field, value",
    [("country_code", "XX"), ("country_code", "USA"), ("state_code", "ZZ")],
)
def test_places_are_codes_of_iso_3166(api, project, field, value):
    refused = api.patch(f"projects/{project.pk}", {"project": {field: value}})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [field])


def test_places_are_kept_in_upper_case(api, project):
    given = {"country_code": "us", "state_code": "or"}
    body = api.patch(f"projects/{project.pk}", {"project": given}).json()
    assert (body["country_code"], body["state_code"]) == ("US", "OR")
    # A state is looked for in the project's country; outside of US and CA it may be anything.
    canada = api.patch(f"projects/{project.pk}", {"project": {"country_code": "CA"}})
    assert canada.status_code == 200
    wrong = api.patch(f"projects/{project.pk}", {"project": {"state_code": "OR"}})
    assert list(wrong.json()["errors"]) == ["state_code"]
    abroad = {"country_code": "GB", "state_code": "zz-top"}
    assert api.patch(f"projects/{project.pk}", {"project": abroad}).json()["state_code"] == "ZZ-TOP"


def test_who_may_not_configure_a_project_cannot_change_it(reader, project):
    assert reader.get(f"projects/{project.pk}").status_code == 200
    body = {"project": {"name": "Mine"}}
    assert reader.patch(f"projects/{project.pk}", body).status_code == 403
    assert reader.post("projects", body).status_code == 403
    body = reader.patch("projects/sync", {"updates": [{"id": project.pk, "name": "Mine"}]}).json()
    assert "Needs Admin" in body["errors"][0]["errors"]["base"][0]


def test_a_project_that_is_not_permitted_does_not_exist(make_service, account, project):
    other = ProjectFactory.create(account=account)
    levels = Levels(directory=Level.READ_ONLY)
    caller = make_service("One", levels=levels, on_projects=levels, projects=[project])
    assert [row["id"] for row in caller.get("projects").json()] == [project.pk]
    assert caller.get(f"projects/{other.pk}").status_code == 404


def test_an_admin_of_one_project_configures_that_one(make_service, account, project):
    other = ProjectFactory.create(account=account)
    rights = {"on_projects": Levels(admin=Level.ADMIN), "projects": [project]}
    caller = make_service("Site office", levels=Levels(), **rights)
    body = {"project": {"name": "Pier 8", "origin_id": ""}}
    changed = caller.patch(f"projects/{project.pk}?company_id={caller.company}", body)
    assert (changed.status_code, changed.json()["name"]) == (200, "Pier 8")
    elsewhere = caller.patch(f"projects/{other.pk}?company_id={caller.company}", body)
    assert elsewhere.status_code == 404


def test_who_may_not_import_leaves_the_id_that_a_project_has(make_service, account, project):
    Project.objects.filter(pk=project.pk).update(origin_id="J-7")
    rights = {"on_projects": Levels(admin=Level.ADMIN), "projects": [project]}
    caller = make_service("Estimator", levels=Levels(admin=Level.ADMIN), **rights)
    address = f"projects/{project.pk}?company_id={caller.company}"
    same = caller.patch(address, {"project": {"name": "Pier 9", "origin_id": "J-7"}})
    assert (same.status_code, same.json()["name"]) == (200, "Pier 9")
    other = caller.patch(address, {"project": {"origin_id": "J-8"}})
    assert (other.status_code, list(other.json()["errors"])) == (422, ["origin_id"])


def test_projects_sync(api, account, project):
    rows = [
        {"id": project.pk, "origin_id": "J-1", "name": "Pier"},
        {"origin_id": "J-2", "name": "New"},
        {"origin_id": "J-2", "name": "Newer"},
        {"id": 10**6, "name": "Nobody"},
        {"name": "Dup", "project_number": "1042"},
    ]
    body = api.patch("projects/sync", {"company_id": account.pk, "updates": rows}).json()
    assert [entity["name"] for entity in body["entities"]] == ["Pier", "Newer", "Newer"]
    assert [list(error["errors"]) for error in body["errors"]] == [["id"], ["project_number"]]


@pytest.mark.parametrize("known", [False, True])
def test_500_rows_take_few_statements(api, account, known, django_assert_max_num_queries):
    rows = [
        {"origin_id": f"J-{n}", "project_number": f"{n}", "name": f"Job {n}"} for n in range(500)
    ]
    if known:
        api.patch("projects/sync", {"updates": rows})
        rows = [{**row, "name": f"{row['name']} again", "city": "Salem"} for row in rows]
    with django_assert_max_num_queries(60):
        body = api.patch("projects/sync", {"updates": rows}).json()
    assert (len(body["entities"]), body["errors"]) == (500, [])
    assert body["entities"][499]["name"] == rows[499]["name"]
    made = Project.objects.filter(account=account, origin_id__startswith="J-")
    assert made.count() == 500
    # Each has the structure of the account, and its history.
    assert made.filter(segments__isnull=False).distinct().count() == 500
    assert Event.objects.about(account.pk, "project", made[0].pk).count() == (2 if known else 1)


def test_numbers_may_be_handed_on_within_a_sync(api, account, project):
    other = ProjectFactory.create(account=account, number="7", name="Other")
    rows = [
        {"id": project.pk, "project_number": "8"},
        {"id": other.pk, "project_number": "1042"},
        {"name": "New", "project_number": "7"},
        {"name": "Newer", "project_number": "7"},
    ]
    body = api.patch("projects/sync", {"updates": rows}).json()
    assert [entity["project_number"] for entity in body["entities"]] == ["8", "1042", "7"]
    taken = "Another project of the account has the number 7."
    assert [error["errors"] for error in body["errors"]] == [{"project_number": [taken]}]


def test_a_row_that_somebody_else_was_faster_with_does_not_stop_the_others(api, monkeypatch):
    store_many = projects.store_many

    def raced(wanted, *, by):
        if any(write.values["name"] == "Late" for write in wanted):
            raise IntegrityError
        return store_many(wanted, by=by)

    monkeypatch.setattr(projects, "store_many", raced)
    body = api.patch("projects/sync", {"updates": [{"name": "Late"}, {"name": "On time"}]}).json()
    assert [entity["name"] for entity in body["entities"]] == ["On time"]
    assert "at this moment" in body["errors"][0]["errors"]["base"][0]

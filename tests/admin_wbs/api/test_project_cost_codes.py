"""Cost codes of projects, and cost types, over HTTP."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from admin_wbs.api.projects import cost_codes as cost_codes_api
from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostType
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from tests.admin_wbs.steps import tree
from tests.factories import CodeListFactory

ROWS = ["01 General", "01-100 Surveying", "02 Sitework", "02-220 Demolition"]


@pytest.fixture
def code_list(account, ada) -> CodeList:
    return list_services.create(account=account, name="Residential", by=ada)


@pytest.fixture
def project(project):
    """Pier 7, not used with the ERP; a test about the ERP switches that on."""
    project.use_with_erp = False
    project.save()
    return project


@pytest.fixture
def codes_reader(make_service, project):
    """A program that may read the Admin tools of account and project, and no more."""
    levels = Levels(admin=Level.READ_ONLY)
    return make_service("Reports", levels=levels, on_projects=levels, projects=[project])


@pytest.fixture
def made(code_list, ada):
    return tree(code_list, ada, *ROWS)


def copy(api, project, code_list, *chosen):
    body = {"project_id": project.pk, "standard_cost_code_list_id": code_list.pk}
    if not chosen:
        return api.post("cost_codes/copy_from_standard_list", body)
    ids = [code if isinstance(code, int) else code.pk for code in chosen]
    body["standard_cost_code_ids"] = ids
    return api.post("cost_codes/copy_subset_from_standard_list", body)


def full_codes(answer) -> list[str]:
    return [code["full_code"] for code in answer]


def test_a_whole_list_is_copied_to_a_project(api, project, code_list, made):
    answer = copy(api, project, code_list)
    assert answer.status_code == 201
    assert full_codes(answer.json()) == ["01", "01-100", "02", "02-220"]
    top, below = answer.json()[:2]
    assert (top["parent"], below["parent"]) == ({"id": None}, {"id": top["id"]})
    assert below["standard_cost_code_id"] == made["01-100"].pk
    assert (below["biller_type"], below["biller_id"]) == ("Project", project.pk)
    listed = api.get(f"cost_codes?project_id={project.pk}&sort=full_code").json()
    assert listed == answer.json()
    shown_code = api.get(f"cost_codes/{below['id']}?project_id={project.pk}").json()
    assert shown_code == below


def test_a_code_of_a_project_shows_the_origin_of_the_standard_code(api, project, code_list, made):
    origin = {"origin_id": "C-2", "origin_data": "batch 7"}
    body = {"standard_cost_code_list_id": code_list.pk, "standard_cost_code": origin}
    api.patch(f"standard_cost_codes/{made['02'].pk}", body)
    copy(api, project, code_list)
    listed = api.get(f"cost_codes?project_id={project.pk}&sort=full_code").json()
    assert {row["full_code"]: (row["origin_id"], row["origin_data"]) for row in listed} == {
        "01": (None, None),
        "01-100": (None, None),
        "02": ("C-2", "batch 7"),
        "02-220": (None, None),
    }


def test_a_subset_comes_with_what_is_above_and_without_what_is_below(api, project, code_list, made):
    done = copy(api, project, code_list, made["01-100"], made["02"])
    assert done.status_code == 201
    assert full_codes(done.json()["successes"]) == ["01", "01-100", "02"]
    assert done.json()["failures"] == []


def test_a_subset_that_is_partly_there_or_unknown_is_207(api, project, code_list, made):
    copy(api, project, code_list, made["02"])
    done = copy(api, project, code_list, made["02"], made["02-220"], 999999)
    assert done.status_code == 207
    assert full_codes(done.json()["successes"]) == ["02-220"]
    failures = {failure["standard_cost_code_id"]: failure for failure in done.json()["failures"]}
    assert set(failures) == {made["02"].pk, 999999}
    assert "already" in failures[made["02"].pk]["errors"]["standard_cost_code_ids"][0]


def test_a_list_that_is_not_for_the_project_is_refused(api, project, code_list, made, ada):
    list_services.change(code_list, values={"for_new_projects": False}, by=ada)
    refused = copy(api, project, code_list)
    assert refused.status_code == 422
    message = "The list is not available to the project."
    assert refused.json()["errors"] == {"standard_cost_code_list_id": [message]}
    assert copy(api, project, CodeListFactory.create()).status_code == 404


def test_a_code_is_put_on_a_project_by_any_of_its_names(api, project, code_list, made):
    base = {"project_id": project.pk}
    api.patch(
        f"standard_cost_codes/{made['02'].pk}",
        {
            "standard_cost_code_list_id": code_list.pk,
            "standard_cost_code": {"origin_id": "C-2"},
        },
    )
    by_id = {"standard_cost_code_id": made["01"].pk}
    top = api.post("cost_codes", {**base, "cost_code": by_id})
    assert (top.status_code, top.json()["full_code"]) == (201, "01")
    below = {"code": "100", "name": "Surveying", "parent_id": top.json()["id"]}
    assert api.post("cost_codes", {**base, "cost_code": below}).json()["full_code"] == "01-100"
    updates = [{"origin_id": "C-2"}, {"code": "02-220"}, {"code": "77", "name": "Own"}]
    done = api.patch(f"cost_codes/sync?project_id={project.pk}", {"updates": updates}).json()
    assert full_codes(done["entities"]) == ["02", "02-220"]
    named = api.get(f"cost_codes?project_id={project.pk}&filters[origin_id]=C-2").json()
    assert full_codes(named) == ["02"]
    assert "come from the company's lists" in done["errors"][0]["errors"]["code"][0]
    assert done["errors"][0]["name"] == "Own"


def test_a_parent_is_a_code_of_the_project_and_the_one_that_is_there(api, project, code_list, made):
    copy(api, project, code_list)
    rows = api.get(f"cost_codes?project_id={project.pk}").json()
    here = {row["full_code"]: row["id"] for row in rows}
    code_path = f"cost_codes/{here['01-100']}"
    change = {"project_id": project.pk, "cost_code": {"name": "Surveying"}}
    change["cost_code"]["parent_id"] = here["01"]
    assert api.patch(code_path, change).status_code == 200
    change["cost_code"]["parent_id"] = here["02"]
    assert "belongs to the company's list" in api.patch(code_path, change).text
    change["cost_code"]["parent_id"] = 987654
    refused = api.patch(code_path, change)
    assert refused.status_code == 422
    assert refused.json()["errors"]["parent_id"] == ["is not a cost code of this project"]


def test_no_list_keeps_deleted_rows(api, project, code_list, made):
    copy(api, project, code_list)
    for path in (
        f"cost_codes?project_id={project.pk}",
        f"standard_cost_codes?standard_cost_code_list_id={code_list.pk}",
        "line_item_types?",
    ):
        all_there_are = api.get(path).json()
        assert all_there_are
        assert api.get(f"{path}&filters[include_deleted]=with").json() == all_there_are
        assert api.get(f"{path}&filters[include_deleted]=only").json() == []
        assert api.get(f"{path}&filters[include_deleted]=yes").status_code == 400


def test_what_the_company_decides_is_not_changed_on_a_project(api, project, code_list, made):
    copied = copy(api, project, code_list, made["01"]).json()["successes"][0]
    path = f"cost_codes/{copied['id']}"
    same = {"project_id": project.pk, "cost_code": {"code": "01", "name": "General"}}
    assert api.patch(path, same).status_code == 200
    other = {"project_id": project.pk, "cost_code": {"name": "Other"}}
    refused = api.patch(path, other)
    assert refused.status_code == 422
    assert "of Residential" in refused.json()["errors"]["name"][0]


def test_an_erp_integrated_project_is_changed_by_sync_and_copy_only(api, project, code_list, made):
    project.use_with_erp = True
    project.save()
    given = {"standard_cost_code_id": made["01"].pk}
    refused = api.post("cost_codes", {"project_id": project.pk, "cost_code": given})
    assert refused.status_code == 422
    assert "by sync" in refused.json()["message"]
    path = f"cost_codes/sync?project_id={project.pk}"
    assert full_codes(api.patch(path, {"updates": [given]}).json()["entities"]) == ["01"]
    assert copy(api, project, code_list).status_code == 201


def test_a_sub_job_takes_no_codes_of_its_own(api, project, code_list, made):
    body = {"project_id": project.pk, "sub_job_id": 5, "cost_code": {"code": "01"}}
    refused = api.post("cost_codes", body)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["sub_job_id"])
    assert api.get(f"cost_codes?project_id={project.pk}&sub_job_id=5").json() == []


def test_a_sync_of_many_codes_takes_few_queries(api, project, code_list, ada):
    tree(code_list, ada, *(f"{n:04} Work {n}" for n in range(600)))

    def queries(begin: int, count: int) -> int:
        rows = [{"code": f"{n:04}"} for n in range(begin, begin + count)]
        with CaptureQueriesContext(database) as made:
            path = f"cost_codes/sync?project_id={project.pk}"
            assert api.patch(path, {"updates": rows}).json()["errors"] == []
        return len(made)

    assert queries(10, 500) <= queries(0, 10) + 25


def test_strangers_see_nothing_and_readers_change_nothing(
    api, stranger, codes_reader, reader, project, code_list, made
):
    code_id = copy(api, project, code_list, made["01"]).json()["successes"][0]["id"]
    scope = f"?project_id={project.pk}"
    lit = {"line_item_type": {"name": "Crane", "csv_import_code": "CR"}}
    calls = [
        ("GET", f"cost_codes{scope}", None),
        ("GET", f"cost_codes/{code_id}{scope}", None),
        ("POST", f"cost_codes{scope}", {"cost_code": {"code": "02"}}),
        ("PATCH", f"cost_codes/{code_id}{scope}", {"cost_code": {}}),
        ("PATCH", f"cost_codes/sync{scope}", {"updates": []}),
        ("GET", f"line_item_types{scope}", None),
        ("POST", f"line_item_types{scope}", lit),
    ]
    for method, path, body in calls:
        assert stranger(method, path, body).status_code == 404
        assert codes_reader(method, path, body).status_code == (200 if method == "GET" else 403)
        assert reader(method, path, body).status_code == 403
    assert stranger.get("line_item_types?filters[code]=CR").json() == []


def test_cost_types_are_written_with_csv_import_code_and_answered_with_code(api, account):
    listed = api.get(f"line_item_types?company_id={account.pk}").json()
    assert [row["code"] for row in listed] == ["L", "E", "M", "S", "OC", "SVC", "O"]
    given = {"name": "Crane", "csv_import_code": "CR", "base_type": "equipment", "origin_id": "T1"}
    made = api.post("line_item_types", {"company_id": account.pk, "line_item_type": given})
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "name": "Crane",
        "code": "CR",
        "base_type": "equipment",
        "origin_data": None,
        "origin_id": "T1",
    }
    path = f"line_item_types/{made.json()['id']}"
    changed = api.patch(path, {"line_item_type": {"name": "Cranes"}})
    assert changed.json()["name"] == api.get(path).json()["name"] == "Cranes"
    matches = api.get("line_item_types?filters[origin_id]=T1").json()
    assert [row["id"] for row in matches] == [made.json()["id"]]
    events = Event.objects.filter(entity="cost_type", subject_id=made.json()["id"])
    assert set(events.values_list("verb", flat=True)) == {"created", "edited", "link"}


def test_what_the_erp_calls_a_cost_type_needs_the_right_to_import_and_is_in_its_history(
    api, make_service, account
):
    clerk = make_service("Clerk", levels=Levels(admin=Level.ADMIN))
    new = {"name": "Crane", "csv_import_code": "CR"}
    made = clerk.post("line_item_types", {"line_item_type": {**new, "origin_id": ""}})
    assert made.status_code == 201
    path = f"line_item_types/{made.json()['id']}"
    for fields in ({"origin_id": "T1"}, {"origin_data": "batch 7"}):
        refused = clerk.patch(path, {"line_item_type": fields})
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["origin_id"])
        assert "Can push to accounting" in refused.json()["message"]
    updates = [{"csv_import_code": "CX", "name": "Other", "origin_id": "T2"}, {"id": 999999}]
    rows = clerk.patch("line_item_types/sync", {"updates": updates}).json()
    assert [list(error["errors"]) for error in rows["errors"]] == [["origin_id"], ["id"]]
    for origin in ("T1", "T2", None):
        api.patch(path, {"line_item_type": {"origin_id": origin}})
    same = clerk.patch(path, {"line_item_type": {"origin_id": "", "name": "Cranes"}})
    assert same.status_code == 200
    events = Event.objects.filter(entity="cost_type", subject_id=made.json()["id"]).order_by("pk")
    assert [(event.verb, event.data.get("changes", {}).get("origin_id")) for event in events] == [
        ("created", None),
        ("link", ["", "T1"]),
        ("link", ["T1", "T2"]),
        ("unlink", ["T2", ""]),
        ("edited", None),
    ]
    linked = {"line_item_type": {"csv_import_code": "CY", "name": "New", "origin_id": "T3"}}
    pk = api.post("line_item_types", linked).json()["id"]
    event = Event.objects.get(entity="cost_type", subject_id=pk, verb="link")
    assert (event.data["was"], event.data["erp_id"], event.note) == ("", "T3", "Set over the API")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "Crane"}, "csv_import_code"),
        ({"csv_import_code": "CR"}, "name"),
        ({"name": "Crane", "csv_import_code": "l"}, "csv_import_code"),
        ({"name": "Crane", "csv_import_code": "CR", "base_type": "labour"}, "base_type"),
        ({"name": "x" * 101, "csv_import_code": "CR"}, "name"),
    ],
)
def test_a_bad_cost_type_is_422_and_names_the_field(api, fields, name):
    refused = api.post("line_item_types", {"line_item_type": fields})
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == [name]


def test_cost_types_are_synced_row_by_row(api, account):
    labor = api.get("line_item_types?filters[code]=L").json()[0]
    updates = [
        {"id": labor["id"], "name": "Own Labor", "origin_id": "LAB"},
        {"csv_import_code": "CR", "name": "Crane", "origin_id": "CRN"},
        {"csv_import_code": "CX", "name": "Again", "origin_id": "LAB2"},
        {"csv_import_code": "CX", "name": "Twice", "origin_id": "LAB3"},
        {"id": labor["id"], "base_type": "other"},
    ]
    done = api.patch("line_item_types/sync", {"company_id": account.pk, "updates": updates}).json()
    assert [cost_type["code"] for cost_type in done["entities"]] == ["L", "CR", "CX"]
    assert [list(error["errors"]) for error in done["errors"]] == [
        ["csv_import_code"],
        ["base_type"],
    ]
    again = [{"origin_id": "CRN", "name": "Cranes"}]
    api.patch("line_item_types/sync", {"updates": again})
    assert CostType.objects.get(account=account, code="CR").label == "Cranes"


def test_a_sync_takes_codes_of_several_lists(api, project, code_list, made, account, ada):
    commercial = list_services.create(account=account, name="Commercial", by=ada)
    tree(commercial, ada, "05 Metals", "05-100 Framing")
    industrial = list_services.create(account=account, name="Industrial", by=ada)
    tree(industrial, ada, "11 Equipment", "11-300 Cranes")
    updates = [{"code": code} for code in ("05-100", "01", "11-300", "05", "02-220", "77")]
    done = api.patch(f"cost_codes/sync?project_id={project.pk}", {"updates": updates}).json()
    assert full_codes(done["entities"]) == ["05-100", "01", "11-300", "05", "02-220"]
    assert [error["code"] for error in done["errors"]] == ["77"]
    listed = api.get(f"cost_codes?project_id={project.pk}&sort=full_code").json()
    assert full_codes(listed) == ["01", "02", "02-220", "05", "05-100", "11", "11-300"]


def test_of_a_code_that_two_lists_have_the_first_list_wins(
    api, project, code_list, made, account, ada
):
    later = list_services.create(account=account, name="Zoning", by=ada)
    tree(later, ada, "01 General")
    done = api.patch(f"cost_codes/sync?project_id={project.pk}", {"updates": [{"code": "01"}]})
    (entity,) = done.json()["entities"]
    assert entity["standard_cost_code_id"] == made["01"].pk


def test_the_extended_view_is_the_default(api, project, code_list):
    copy(api, project, code_list)
    listed = f"cost_codes?project_id={project.pk}"
    assert api.get(f"{listed}&view=extended").json() == api.get(listed).json()


def test_as_many_codes_as_the_limit_are_copied_and_no_more(
    api, project, code_list, made, monkeypatch
):
    monkeypatch.setattr(cost_codes_api, "MOST_CODES", 2)
    codes = [made["01"], made["02"]]
    assert copy(api, project, code_list, *codes).status_code == 201
    refused = copy(api, project, code_list, *codes, made["01-100"])
    assert refused.status_code == 400
    (message,) = refused.json()["errors"]["standard_cost_code_ids"]
    assert message == "has 3 ids; the limit is 2"

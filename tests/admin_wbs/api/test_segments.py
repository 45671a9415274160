"""The Work Breakdown Structure over HTTP: patterns, segments and their items."""

from __future__ import annotations

import pytest

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostCode, CostType, Segment, SegmentItem
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from tests.admin_wbs import erps
from tests.admin_wbs.steps import tree


@pytest.fixture
def wbs(account) -> str:
    return f"companies/{account.pk}/work_breakdown_structure"


@pytest.fixture
def project_wbs(project) -> str:
    return f"projects/{project.pk}/work_breakdown_structure"


@pytest.fixture
def codes_reader(make_service, project):
    levels = Levels(admin=Level.READ_ONLY)
    return make_service("Reports", levels=levels, on_projects=levels, projects=[project])


def segments_by_type(api, wbs) -> dict[str, dict]:
    return {segment["type"]: segment for segment in api.get(f"{wbs}/segments").json()}


@pytest.fixture
def phase(api, wbs) -> dict:
    body = {"name": "Phase", "structure": "tiered", "project_can_modify_origin_project": True}
    return api.post(f"{wbs}/segments", body).json()


def add_item(api, wbs, segment, code, **more):
    path = f"{wbs}/segments/{segment['id']}/segment_items"
    return api.post(path, {"code": code, "name": f"Item {code}", **more})


def test_the_pattern_names_the_segments_in_order(api, wbs, account):
    (pattern,) = api.get(f"{wbs}/patterns").json()
    assert pattern["id"] == account.pk
    segments = [
        (segment["type"], segment["position"], segment["structure"])
        for segment in pattern["segments"]
    ]
    assert segments == [("cost_code", 0, "tiered"), ("line_item_type", 1, "flat")]
    assert {segment["delimiter"] for segment in pattern["segments"]} == {"."}
    assert all(segment["required"] for segment in pattern["segments"])


def test_the_order_is_changed_for_the_company_and_for_one_project(
    api, wbs, project_wbs, project, phase
):
    ids = [segment["id"] for segment in api.get(f"{wbs}/patterns").json()[0]["segments"]]
    assert ids[-1] == phase["id"]
    turned = [
        {"segment_id": segment_id, "position": n} for n, segment_id in enumerate(reversed(ids))
    ]
    put = api("PUT", f"{wbs}/patterns/update_segment_order", {"updated_order": turned})
    assert [segment["id"] for segment in put.json()["segments"]] == ids[::-1]
    missing = api("PUT", f"{wbs}/patterns/update_segment_order", {"updated_order": turned[:1]})
    assert missing.status_code == 422
    add = api("PUT", f"{project_wbs}/patterns/add_segment", {"segment_id": phase["id"]})
    assert [segment["id"] for segment in add.json()["segments"]] == ids
    order = api("PUT", f"{project_wbs}/patterns/update_segment_order", {"updated_order": turned})
    assert [segment["id"] for segment in order.json()["segments"]] == ids[::-1]
    assert order.json()["id"] == project.pk
    removed = api("PUT", f"{project_wbs}/patterns/remove_segment", {"segment_id": phase["id"]})
    assert phase["id"] not in [segment["id"] for segment in removed.json()["segments"]]
    needed = api("PUT", f"{project_wbs}/patterns/remove_segment", {"segment_id": ids[0]})
    assert needed.status_code == 422


def test_a_custom_segment_is_made_changed_and_deleted(api, wbs, phase):
    path = f"{wbs}/segments/{phase['id']}"
    assert (phase["type"], phase["structure"]) == ("custom", "tiered")
    assert phase["project_can_modify_origin_project"] is True
    assert api.patch(path, {"name": "Stage"}).status_code == 204
    assert api.get(path).json()["name"] == "Stage"
    assert api.patch(path, {"structure": "flat"}).status_code == 422
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_default_segment_stays(api, wbs):
    segment = segments_by_type(api, wbs)["cost_code"]
    path = f"{wbs}/segments/{segment['id']}"
    assert api.patch(path, {"name": "Codes"}).status_code == 422
    assert api.delete(path).status_code == 422


@pytest.mark.parametrize(
    ("body", "name"),
    [({}, "name"), ({"name": "cost code"}, "name"), ({"name": "A", "structure": "x"}, "structure")],
)
def test_a_bad_segment_is_422_and_names_the_field(api, wbs, body, name):
    refused = api.post(f"{wbs}/segments", body)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [name])


def test_an_erp_that_takes_no_custom_segments_stands_against_them(api, wbs, account, ada):
    erps.connect(account, by=ada)
    refused = api.post(f"{wbs}/segments", {"name": "Phase"})
    assert refused.status_code == 422
    assert "Tryton takes no custom segments" in refused.json()["errors"]["base"][0]


def test_items_of_a_custom_segment_tell_their_path(api, wbs, phase):
    top = add_item(api, wbs, phase, "A")
    assert top.status_code == 201
    below = add_item(api, wbs, phase, "1", parent_id=top.json()["id"]).json()
    place = {name: below[name] for name in ("path_code", "path_codes", "path_names", "status")}
    assert place == {
        "path_code": "A-1",
        "path_codes": ["A", "1"],
        "path_names": ["Item A", "Item 1"],
        "status": "active",
    }
    assert below["path_ids"] == [top.json()["id"], below["id"]]
    path = f"{wbs}/segments/{phase['id']}/segment_items"
    listed = {item["path_code"]: item["is_parent"] for item in api.get(path).json()}
    assert listed == {"A": True, "A-1": False}
    renamed = {"name": "First", "parent_id": top.json()["id"]}
    assert api.patch(f"{path}/{below['id']}", renamed).json()["name"] == "First"
    assert api.delete(f"{path}/{top.json()['id']}").status_code == 422
    assert api.delete(f"{path}/{below['id']}").status_code == 204
    taken = add_item(api, wbs, phase, "a")
    assert (taken.status_code, list(taken.json()["errors"])) == (422, ["code"])


def test_many_items_are_deleted_with_207_and_switched_with_204(api, wbs, phase):
    ids = {code: add_item(api, wbs, phase, code).json()["id"] for code in "ABC"}
    child = add_item(api, wbs, phase, "1", parent_id=ids["C"]).json()["id"]
    path = f"{wbs}/segments/{phase['id']}/segment_items"
    off = {"ids": [ids["A"], ids["B"]], "attributes": {"status": "inactive"}}
    assert api.patch(f"{path}/update_all", off).status_code == 204
    inactive = api.get(f"{path}?filters[status]=inactive").json()
    assert [item["code"] for item in inactive] == ["A", "B"]
    halfway = {"ids": [ids["A"], ids["C"]], "attributes": {"status": "inactive"}}
    assert api.patch(f"{path}/update_all", halfway).status_code == 422
    assert SegmentItem.objects.get(pk=ids["C"]).is_active
    done = api.delete(f"{path}/bulk_destroy")
    assert done.status_code == 400
    done = api("DELETE", f"{path}/bulk_destroy", {"ids": [ids["A"], ids["C"], 999999]})
    assert done.status_code == 207
    assert [item["id"] for item in done.json()["successes"]] == [ids["A"]]
    assert {item["id"]: item["status"] for item in done.json()["failures"]} == {
        ids["C"]: 422,
        999999: 404,
    }
    assert SegmentItem.objects.filter(pk=child).exists()


def test_items_of_cost_codes_belong_to_lists(api, wbs, account, ada):
    code_list = list_services.create(account=account, name="Residential", by=ada)
    made = tree(code_list, ada, "01 General", "01-100 Surveying")
    segment = segments_by_type(api, wbs)["cost_code"]
    base = f"{wbs}/segments/{segment['id']}"
    assert segment["segment_items_count"] == 2
    assert api.get(f"{base}/lists").json() == [
        {
            "id": code_list.pk,
            "name": "Residential",
            "segment_items_count": 2,
            "erp_integrated": False,
            "available_to_use_on_new_projects": True,
        }
    ]
    assert api.get(f"{base}/segment_items").status_code == 400
    items = api.get(f"{base}/segment_items?segment_item_list_id={code_list.pk}&sort=code").json()
    assert [item["path_code"] for item in items] == ["01", "01-100"]
    new = {"code": "200", "name": "Layout", "parent_id": made["01"].pk}
    posted = api.post(f"{base}/segment_items", {**new, "segment_item_list_id": code_list.pk})
    assert posted.json()["path_code"] == "01-200"
    item_path = f"{base}/segment_items/{posted.json()['id']}"
    assert api.patch(item_path, {"code": "300"}).json()["path_code"] == "01-300"
    assert api.delete(item_path).status_code == 204


def test_items_of_cost_types_are_flat(api, wbs, account):
    segment = segments_by_type(api, wbs)["line_item_type"]
    items = f"{wbs}/segments/{segment['id']}/segment_items"
    assert [item["code"] for item in api.get(items).json()][:2] == ["L", "E"]
    made = api.post(items, {"code": "CR", "name": "Crane"})
    assert made.json()["path_codes"] == ["CR"]
    assert api.patch(f"{items}/{made.json()['id']}", {"name": "Cranes"}).json()["name"] == "Cranes"
    assert api.delete(f"{items}/{made.json()['id']}").status_code == 204
    assert not CostType.objects.filter(code="CR").exists()


def test_a_project_shows_its_own_structure_and_items(api, project_wbs, wbs, project, account, ada):
    code_list = list_services.create(account=account, name="Residential", by=ada)
    made = tree(code_list, ada, "01 General", "02 Sitework")
    body = {"project_id": project.pk, "standard_cost_code_list_id": code_list.pk}
    ids = {"standard_cost_code_ids": [made["02"].pk]}
    api.post("cost_codes/copy_subset_from_standard_list", {**body, **ids})
    (pattern,) = api.get(f"{project_wbs}/patterns").json()
    assert [segment["type"] for segment in pattern["segments"]] == ["cost_code", "line_item_type"]
    segment = segments_by_type(api, project_wbs)["cost_code"]
    assert segment["segment_items_count"] == 1
    (item,) = api.get(f"{project_wbs}/segments/{segment['id']}/segment_items").json()
    assert (item["path_code"], item["in_use"]) == ("02", False), "no budget code uses it yet"


def test_strangers_see_nothing_and_readers_change_nothing(
    api, stranger, codes_reader, reader, wbs, project_wbs, phase
):
    item = add_item(api, wbs, phase, "A").json()["id"]
    segment_path = f"{wbs}/segments/{phase['id']}"
    for method, path, body in [
        ("GET", f"{wbs}/patterns", None),
        ("GET", f"{project_wbs}/patterns", None),
        ("GET", segment_path, None),
        ("GET", f"{segment_path}/segment_items/{item}", None),
        ("PUT", f"{wbs}/patterns/update_segment_order", {"updated_order": []}),
        ("PUT", f"{project_wbs}/patterns/add_segment", {"segment_id": phase["id"]}),
        ("POST", f"{wbs}/segments", {"name": "x"}),
        ("PATCH", segment_path, {"name": "x"}),
        ("DELETE", segment_path, None),
        ("POST", f"{segment_path}/segment_items", {"code": "B", "name": "x"}),
        ("PATCH", f"{segment_path}/segment_items/{item}", {"name": "x"}),
        ("DELETE", f"{segment_path}/segment_items/bulk_destroy", {"ids": [item]}),
        ("PATCH", f"{segment_path}/segment_items/update_all", {"ids": [item]}),
    ]:
        stranger.company = None
        assert stranger(method, path, body).status_code == 404
        assert codes_reader(method, path, body).status_code == (200 if method == "GET" else 403)
        assert reader(method, path, body).status_code == 403
    assert Segment.objects.filter(pk=phase["id"], name="Phase").exists()


def test_codes_of_several_lists_are_switched_and_deleted_in_one_call(api, wbs, account, ada):
    made = [
        tree(
            list_services.create(account=account, name=name, by=ada),
            ada,
            "01 General",
            "02 Sitework",
        )
        for name in ("Residential", "Commercial", "Industrial")
    ]
    segment = segments_by_type(api, wbs)["cost_code"]
    path = f"{wbs}/segments/{segment['id']}/segment_items"
    ids = [codes["01"].pk for codes in made]
    off = {"ids": ids, "attributes": {"status": "inactive"}}
    assert api.patch(f"{path}/update_all", off).status_code == 204
    deleted = api("DELETE", f"{path}/bulk_destroy", {"ids": ids})
    assert (deleted.status_code, deleted.json()["failures"]) == (207, [])
    left = CostCode.objects.filter(account=account).values_list("full_code", flat=True)
    assert list(left) == ["02", "02", "02"]

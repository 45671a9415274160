"""Budget codes of a project over HTTP: one item for each segment of its structure."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostType, Segment, SegmentItem, WbsCode
from admin_wbs.projects import cost_codes, sub_jobs
from admin_wbs.segments import default_structure
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from tests.admin_wbs.steps import tree
from tests.factories import ProjectFactory

ROWS = ["01 General", "02 Sitework", "02-220 Demolition"]


@pytest.fixture
def base(project) -> str:
    return f"projects/{project.pk}/work_breakdown_structure"


@pytest.fixture
def path(base) -> str:
    return f"{base}/wbs_codes"


@pytest.fixture
def codes(account, project, ada) -> dict[str, int]:
    """Full code -> id on the project."""
    code_list = list_services.create(account=account, name="Residential", by=ada)
    tree(code_list, ada, *ROWS)
    cost_codes.add_matching(code_list, "", project=project, by=ada)
    rows = project.cost_codes.values_list("cost_code__full_code", "pk")
    return dict(rows)


@pytest.fixture
def types(account) -> dict[str, int]:
    default_structure.ensure(account.pk)
    return dict(CostType.objects.filter(account=account).values_list("code", "pk"))


@pytest.fixture
def segment_of(account, types) -> dict[str, int]:
    return dict(Segment.objects.filter(account=account).values_list("kind", "pk"))


@pytest.fixture
def items(codes, types, segment_of):
    """The items of a budget code, such as ``02-220`` and ``L``."""

    def make(code: str, kind: str = "L", *more: tuple[int, int]) -> list[dict[str, int]]:
        pairs = [(segment_of["cost_code"], codes[code]), (segment_of["cost_type"], types[kind])]
        return [
            {"segment_id": segment_id, "segment_item_id": item}
            for segment_id, item in [*pairs, *more]
        ]

    return make


@pytest.fixture
def with_sub_jobs(account, project, segment_of, ada) -> Segment:
    """Sub Job in the structures of account and project."""
    segment = Segment.objects.get(pk=segment_of["sub_job"])
    segment_services.enable(segment, on=True, by=ada)
    project.segments.create(segment=segment, position=9)
    return segment


def flat_codes(answer) -> list[str]:
    return [code["flat_code"] for code in answer]


def test_a_code_is_made_of_one_item_of_each_segment(api, project, path, items, codes, types):
    made = api.post(path, {"segment_items": items("02-220")})
    assert made.status_code == 201
    code = made.json()
    assert (code["flat_code"], code["flat_name"]) == ("02-220.L", "Demolition.Labor")
    assert code["description"] == "Demolition.Labor", "as long as it has none of its own"
    assert (code["status"], code["wbs_pattern_id"]) == ("active", project.pk)
    items_shown = [
        (item["segment"]["type"], item["id"], item["in_use"]) for item in code["segment_items"]
    ]
    assert items_shown == [
        ("cost_code", codes["02-220"], True),
        ("line_item_type", types["L"], True),
    ]
    assert code["segment_items"][0]["path_ids"] == [codes["02"], codes["02-220"]]
    assert api.get(f"{path}/{code['id']}").json() == code
    assert api.get(path).json() == [code]
    event = Event.objects.get(entity="wbs_code")
    assert (event.verb, event.label) == ("created", "02-220.L")


def test_an_item_of_a_project_has_the_id_that_its_cost_code_has_there(api, project, base, codes):
    listed = api.get(f"cost_codes?project_id={project.pk}&view=erp_compact").json()
    assert {row["full_code"]: row["id"] for row in listed} == codes
    segment = next(row for row in api.get(f"{base}/segments").json() if row["type"] == "cost_code")
    items_path = f"{base}/segments/{segment['id']}/segment_items"
    segment_items = api.get(f"{items_path}?sort=code").json()
    assert {item["path_code"]: item["id"] for item in segment_items} == codes
    assert [item["is_parent"] for item in segment_items] == [False, True, False]
    under = api.get(f"{items_path}?filters[parent_id]={codes['02']}").json()
    assert [(item["path_code"], item["parent_id"]) for item in under] == [("02-220", codes["02"])]
    assert api.get(f"{items_path}/{codes['02-220']}").json() == under[0]


def test_the_same_combination_changes_the_description(api, path, items):
    first = api.post(path, {"segment_items": items("01"), "description": "Site office"}).json()
    again = api.post(path, {"segment_items": items("01")[::-1], "description": "Trailer"})
    assert again.status_code == 201
    assert (again.json()["id"], again.json()["description"]) == (first["id"], "Trailer")
    kept = api.post(path, {"segment_items": items("01")}).json()
    assert kept["description"] == "Trailer"
    assert WbsCode.objects.count() == 1
    edits = Event.objects.filter(entity="wbs_code", verb="edited")
    assert [event.data["changes"] for event in edits] == [
        {"description": ["Site office", "Trailer"]}
    ]


def test_a_segment_that_is_not_required_may_be_left_out(
    api, project, path, items, with_sub_jobs, ada
):
    tower = sub_jobs.add(project, code="N", name="North", by=ada)
    without = api.post(path, {"segment_items": items("01")}).json()
    of_tower = items("01", "L", (with_sub_jobs.pk, tower.pk))
    with_tower = api.post(path, {"segment_items": of_tower}).json()
    assert (without["flat_code"], with_tower["flat_code"]) == ("01.L", "01.L.N")
    assert with_tower["flat_name"] == "General.Labor.North"


def test_the_order_of_the_segments_is_that_of_the_project(api, base, path, items, segment_of):
    made = api.post(path, {"segment_items": items("01")}).json()
    order = [
        {"segment_id": segment_of["cost_type"], "position": 0},
        {"segment_id": segment_of["cost_code"], "position": 1},
    ]
    api("PUT", f"{base}/patterns/update_segment_order", {"updated_order": order})
    code = api.get(f"{path}/{made['id']}").json()
    assert (code["flat_code"], code["flat_name"]) == ("L.01", "Labor.General")
    again = api.post(path, {"segment_items": items("01")}).json()
    assert again["id"] == made["id"]


def test_what_is_no_code_of_the_project_is_422_and_says_why(
    api, account, path, items, codes, segment_of, ada
):
    phase = segment_services.add(account, name="Phase", tiered=False, by=ada)
    item = segment_items.add(phase, code="P", description="Planning", by=ada)
    code, kind = items("01")
    for given, why in [
        (None, "is missing"),
        ("01.L", "must be a list"),
        ([{"segment_id": 1}], "needs segment_id and segment_item_id"),
        ([code], "Cost Type is missing"),
        ([code, kind, items("02")[0]], "Cost Code is named 2 times"),
        ([code, kind, {"segment_id": phase.pk, "segment_item_id": item.pk}], "is not a segment"),
        (
            [{**code, "segment_item_id": 999999}, kind],
            "is not an item of Cost Code on this project",
        ),
    ]:
        refused = api.post(path, {"segment_items": given})
        assert refused.status_code == 422
        assert why in refused.json()["errors"]["segment_items"][0]
    long = api.post(path, {"segment_items": items("01"), "description": "x" * 256})
    assert (long.status_code, list(long.json()["errors"])) == (422, ["description"])
    assert not WbsCode.objects.exists()


def test_an_item_of_another_project_or_account_is_none(
    api, account, path, items, other_account, ada
):
    other = ProjectFactory.create(account=account)
    other_list = list_services.create(account=account, name="Other", by=ada)
    tree(other_list, ada, "07 Roofing")
    cost_codes.add_matching(other_list, "", project=other, by=ada)
    code, kind = items("01")
    elsewhere = {**code, "segment_item_id": other.cost_codes.get().pk}
    assert api.post(path, {"segment_items": [elsewhere, kind]}).status_code == 422
    default_structure.ensure(other_account.pk)
    theirs = {**kind, "segment_item_id": other_account.cost_types.all()[0].pk}
    assert api.post(path, {"segment_items": [code, theirs]}).status_code == 422


def test_an_inactive_item_makes_no_new_code_and_stays_in_those_there_are(
    api, project, path, items, with_sub_jobs, ada
):
    tower = sub_jobs.add(project, code="N", name="North", by=ada)
    of_tower = items("01", "L", (with_sub_jobs.pk, tower.pk))
    made = api.post(path, {"segment_items": of_tower})
    sub_jobs.switch(tower, active=False, by=ada)
    again = api.post(path, {"segment_items": of_tower, "description": "Tower"})
    assert (again.status_code, again.json()["id"]) == (201, made.json()["id"])
    refused = api.post(path, {"segment_items": items("02", "L", (with_sub_jobs.pk, tower.pk))})
    assert refused.json()["errors"] == {"segment_items": ["N is inactive"]}


def test_many_codes_are_made_at_once_each_with_its_own_fate(api, path, items):
    bulk = [
        {"segment_items": items("01"), "description": "First"},
        {"segment_items": items("01")[:1]},
        {"segment_items": items("02", "M")},
        {"segment_items": items("01"), "description": "Second"},
        {"description": "Nothing"},
    ]
    done = api.patch(f"{path}/bulk_create", {"bulk": bulk})
    assert done.status_code == 201
    answer = done.json()
    assert flat_codes(answer["entities"]) == ["01.L", "02.M", "01.L"]
    assert answer["entities"][0]["description"] == "Second"
    assert [list(error["errors"]) for error in answer["errors"]] == [["segment_items"]] * 2
    assert answer["errors"][1]["description"] == "Nothing"
    assert WbsCode.objects.count() == 2
    verbs = Event.objects.filter(entity="wbs_code").order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == ["created", "created", "edited"]


def test_bulk_create_takes_a_list_of_at_most_a_thousand(api, path):
    assert api.patch(f"{path}/bulk_create", {}).status_code == 400
    assert api.patch(f"{path}/bulk_create", {"bulk": ["02.L"]}).status_code == 400
    assert api.patch(f"{path}/bulk_create", {"bulk": [{}] * 1001}).status_code == 413
    assert api.patch(f"{path}/bulk_create", {"bulk": []}).json() == {"entities": [], "errors": []}


def test_many_codes_take_few_queries(api, account, project, path, segment_of, types, ada):
    code_list = list_services.create(account=account, name="Large", by=ada)
    tree(code_list, ada, *(f"{n:03} Work {n}" for n in range(300)))
    cost_codes.add_matching(code_list, "", project=project, by=ada)
    ids = list(project.cost_codes.order_by("pk").values_list("pk", flat=True))
    kind = {"segment_id": segment_of["cost_type"], "segment_item_id": types["L"]}
    rows = [
        {"segment_items": [{"segment_id": segment_of["cost_code"], "segment_item_id": pk}, kind]}
        for pk in ids
    ]

    def queries(bulk) -> int:
        with CaptureQueriesContext(database) as made:
            done = api.patch(f"{path}/bulk_create", {"bulk": bulk}).json()
        assert len(done["entities"]) == len(bulk)
        return len(made)

    few = queries(rows[:3])
    assert queries(rows[3:]) <= few + 10
    with CaptureQueriesContext(database) as made:
        assert len(api.get(f"{path}?per_page=300").json()) == 300
    assert len(made) < 60


def test_description_and_status_are_changed_and_the_items_stay(api, path, items):
    made = api.post(path, {"segment_items": items("01")}).json()
    code_path = f"{path}/{made['id']}"
    given = {"description": "Office", "status": "inactive", "segment_items": items("02")}
    changed = api.patch(code_path, given).json()
    assert (changed["description"], changed["status"]) == ("Office", "inactive")
    assert changed["flat_code"] == "01.L"
    assert api.patch(code_path, {"status": "gone"}).status_code == 422
    assert api.patch(code_path, {"status": None}).status_code == 422
    event = Event.objects.get(entity="wbs_code", verb="edited")
    assert event.data["changes"] == {"description": ["", "Office"], "is_active": [True, False]}
    tag = api.get(code_path)["ETag"]
    assert api.patch(code_path, {"status": "active"}, If_Match=tag).status_code == 200
    assert api.patch(code_path, {"status": "inactive"}, If_Match=tag).status_code == 412


def test_many_codes_are_switched_all_or_none(api, path, items):
    first = api.post(path, {"segment_items": items("01")}).json()
    api.post(path, {"segment_items": items("02")})
    off = {"attributes": {"status": "inactive"}}
    refused = api.patch(f"{path}/update_all", {**off, "ids": [first["id"], 999999]})
    assert refused.status_code == 422
    assert "999999" in refused.json()["message"]
    assert api.patch(f"{path}/update_all", {**off, "ids": []}).status_code == 400
    assert api.patch(f"{path}/update_all", {"ids": [first["id"]]}).status_code == 400
    assert flat_codes(api.get(f"{path}?filters[status][]=active").json()) == ["01.L", "02.L"]
    done = api.patch(f"{path}/update_all", {**off, "ids": [first["id"]]})
    assert (done.status_code, done.content) == (204, b"")
    assert flat_codes(api.get(f"{path}?filters[status][]=active").json()) == ["02.L"]
    assert flat_codes(api.get(f"{path}?filters[status][]=inactive").json()) == ["01.L"]
    assert api.get(f"{path}?filters[status]=gone").status_code == 400


def test_codes_are_found_by_words_and_by_what_they_are_for(api, path, items):
    for code, kind in (("01", "L"), ("02", "M"), ("02-220", "M")):
        api.post(path, {"segment_items": items(code, kind)})
    for query, expected in [
        ("query=demolition", ["02-220.M"]),
        ("query=labor", ["01.L"]),
        ("query=02-220.M", ["02-220.M"]),
        ("query=02 materials", ["02.M", "02-220.M"]),
        ("query=nothing", []),
        ("scope=budget_code", ["01.L", "02.M", "02-220.M"]),
        ("scope=production_quantity_code", []),
        ("can_select_divisions=false", ["01.L", "02-220.M"]),
        ("filters[updated_at]=2000-01-01...2000-01-02", []),
    ]:
        assert flat_codes(api.get(f"{path}?{query}").json()) == expected, query
    assert api.get(f"{path}?scope=other").status_code == 400
    assert api.get(f"{path}?can_select_divisions=maybe").status_code == 400


def test_strangers_see_nothing_and_readers_change_nothing(
    api, stranger, make_service, reader, project, path, items
):
    levels = Levels(admin=Level.READ_ONLY)
    looker = make_service("Looks", levels=levels, on_projects=levels, projects=[project])
    pk = api.post(path, {"segment_items": items("01")}).json()["id"]
    for method, address, body in [
        ("GET", path, None),
        ("GET", f"{path}/{pk}", None),
        ("POST", path, {"segment_items": items("02")}),
        ("PATCH", f"{path}/{pk}", {"description": "x"}),
        ("PATCH", f"{path}/bulk_create", {"bulk": [{"segment_items": items("02")}]}),
        ("PATCH", f"{path}/update_all", {"ids": [pk], "attributes": {"status": "inactive"}}),
    ]:
        assert stranger(method, address, body).status_code == 404
        assert looker(method, address, body).status_code == (200 if method == "GET" else 403)
        assert reader(method, address, body).status_code == 403
    assert WbsCode.objects.get().description == ""


# --- what a budget code uses --------------------------------------------------------------------


@pytest.fixture
def in_use(api, account, project, path, items, ada) -> SegmentItem:
    """An item of a custom segment that the one budget code of the project uses."""
    phase = segment_services.add(account, name="Phase", tiered=False, project_items=True, by=ada)
    project.segments.create(segment=phase, position=9)
    item = segment_items.add(phase, code="A", description="Shell", by=ada)
    answer = api.post(path, {"segment_items": items("01", "L", (phase.pk, item.pk))})
    assert answer.status_code == 201, answer.content
    return item


@pytest.mark.parametrize("still_in_structure", [True, False])
def test_its_segment_is_not_deleted_and_the_budget_codes_are_counted(
    api, client_of, ada, account, project, in_use, still_in_structure
):
    if not still_in_structure:
        project.segments.filter(segment=in_use.segment).delete()
    why = f"1 budget code uses it: 1 of {project}. Budget codes are never deleted"
    wbs = f"companies/{account.pk}/work_breakdown_structure/segments/{in_use.segment_id}"
    refused = api.delete(wbs)
    assert refused.status_code == 422
    assert why in refused.json()["message"]
    page = reverse("admin_wbs:segment_delete", args=[account.pk, in_use.segment_id])
    response = client_of(ada).post(page, {"confirm": "1"}, follow=True)
    assert why in response.text
    assert Segment.objects.filter(pk=in_use.segment_id).exists()


def test_its_items_are_not_deleted_either(api, client_of, ada, account, project, in_use):
    why = f"1 budget code uses it: 1 of {project}. Deactivate it instead."
    wbs = f"companies/{account.pk}/work_breakdown_structure/segments/{in_use.segment_id}"
    refused = api.delete(f"{wbs}/segment_items/{in_use.pk}")
    assert refused.status_code == 422
    assert why in refused.json()["message"]
    many = api("DELETE", f"{wbs}/segment_items/bulk_destroy", {"ids": [in_use.pk]})
    assert why in many.text
    page = reverse("admin_wbs:segment_items_act", args=[account.pk, in_use.segment_id])
    form = {"action": "delete", "confirm": "1", "ids": [in_use.pk]}
    assert why in client_of(ada).post(page, form, follow=True).text
    assert SegmentItem.objects.filter(pk=in_use.pk).exists()

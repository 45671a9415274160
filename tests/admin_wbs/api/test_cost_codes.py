"""Standard cost code lists and their codes over HTTP."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from tests.admin_wbs.steps import send, tree
from tests.erp_integrations import steps
from tests.factories import CodeListFactory, CostCodeFactory


@pytest.fixture
def code_list(account, ada) -> CodeList:
    return list_services.create(account=account, name="Residential", by=ada)


@pytest.fixture
def erp_list(account, ada) -> CodeList:
    connection = steps.connect(account, by=ada)
    return CodeList.objects.get(connection_id=connection.pk)


@pytest.fixture
def codes_reader(make_service):
    """A program that may read the account's Admin tool, and no more."""
    return make_service("Reports", levels=Levels(admin=Level.READ_ONLY))


def of(code_list: CodeList, **fields) -> dict:
    return {"standard_cost_code_list_id": code_list.pk, "standard_cost_code": fields}


def test_lists_are_created_renamed_and_shown(api, account, code_list):
    body = {"company_id": account.pk, "standard_cost_code_list": {"name": "Commercial"}}
    made = api.post("standard_cost_code_lists", body)
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "name": "Commercial",
        "is_erp_list": False,
        "available_to_use_on_new_projects": True,
        "company_id": account.pk,
    }
    path = f"standard_cost_code_lists/{made.json()['id']}"
    renamed = api.patch(path, {"standard_cost_code_list": {"name": "Commercial 2026"}})
    assert renamed.json()["name"] == api.get(path).json()["name"] == "Commercial 2026"
    assert [row["name"] for row in api.get("standard_cost_code_lists?sort=name").json()] == [
        "Commercial 2026",
        "Residential",
    ]


def test_a_list_of_a_taken_name_is_refused_by_field(api, code_list):
    refused = api.post(
        "standard_cost_code_lists", {"standard_cost_code_list": {"name": "resiDENTIAL"}}
    )
    assert refused.status_code == 422
    assert refused.json()["errors"] == {"name": ["A list of this name exists already."]}
    assert api.post("standard_cost_code_lists", {"standard_cost_code_list": {}}).status_code == 422
    assert api.post("standard_cost_code_lists", {"name": "x"}).status_code == 400


def test_an_account_without_a_connection_has_one_erp_list_for_good(api, code_list):
    path = f"standard_cost_code_lists/{code_list.pk}"
    on = api.patch(path, {"standard_cost_code_list": {"is_erp_list": True, "name": "Ours"}})
    assert (on.json()["is_erp_list"], on.json()["name"]) == (True, "Ours")
    off = api.patch(path, {"standard_cost_code_list": {"is_erp_list": False}})
    assert off.status_code == 422
    assert "cannot be switched off" in off.json()["errors"]["is_erp_list"][0]
    assert [
        row["id"] for row in api.get("standard_cost_code_lists?filters[is_erp_list]=true").json()
    ] == [code_list.pk]
    other = api.post("standard_cost_code_lists", {"standard_cost_code_list": {"name": "Second"}})
    second = api.patch(
        f"standard_cost_code_lists/{other.json()['id']}",
        {"standard_cost_code_list": {"is_erp_list": True, "name": "Renamed"}},
    )
    assert second.json()["errors"] == {
        "is_erp_list": ["cannot be set: the company's ERP has its list already: Ours"]
    }
    assert CodeList.objects.get(pk=other.json()["id"]).name == "Second"


def test_codes_of_an_erp_list_without_a_connection_are_made_and_deleted(api, code_list, ada):
    list_services.make_erp(code_list, by=ada)
    made = api.post("standard_cost_codes", of(code_list, code="02", name="Sitework"))
    assert made.status_code == 201
    path = f"standard_cost_codes/{made.json()['id']}"
    assert api.delete(f"{path}?standard_cost_code_list_id={code_list.pk}").json() == made.json()


def test_a_connected_erp_has_one_list_and_it_keeps_its_name(api, code_list, erp_list):
    flags = {row["id"]: row["is_erp_list"] for row in api.get("standard_cost_code_lists").json()}
    assert flags == {code_list.pk: False, erp_list.pk: True}
    on = api.patch(
        f"standard_cost_code_lists/{code_list.pk}",
        {"standard_cost_code_list": {"is_erp_list": True}},
    )
    assert (on.status_code, erp_list.name in on.json()["errors"]["is_erp_list"][0]) == (422, True)
    path = f"standard_cost_code_lists/{erp_list.pk}"
    renamed = api.patch(path, {"standard_cost_code_list": {"name": "Ours"}})
    assert "keeps its name" in renamed.json()["errors"]["name"][0]
    kept = {"standard_cost_code_list": {"is_erp_list": True, "name": erp_list.name}}
    assert api.patch(path, kept).status_code == 200


def test_a_new_list_is_not_an_erps(api):
    fields = {"name": "Ours", "is_erp_list": True}
    refused = api.post("standard_cost_code_lists", {"standard_cost_code_list": fields})
    assert "then PATCH it" in refused.json()["errors"]["is_erp_list"][0]


def test_codes_need_the_list_they_are_of(api, code_list):
    assert api.get("standard_cost_codes").status_code == 400
    missing = api.get("standard_cost_codes?standard_cost_code_list_id=999999")
    assert missing.status_code == 404


def test_a_tree_is_built_by_parent_id_and_full_code_is_computed(api, code_list):
    top = api.post("standard_cost_codes", of(code_list, code="02", name="Sitework"))
    assert top.status_code == 201
    below = api.post(
        "standard_cost_codes",
        of(code_list, code="220", name="Demolition", parent_id=top.json()["id"]),
    )
    assert below.json() == {
        "id": below.json()["id"],
        "standard_cost_code_list_id": code_list.pk,
        "parent_id": top.json()["id"],
        "code": "220",
        "full_code": "02-220",
        "name": "Demolition",
        "origin_data": None,
        "origin_id": None,
    }


def test_the_three_views_of_codes(api, code_list, ada):
    made = tree(code_list, ada, "01 General")["01"]
    base = f"standard_cost_codes?standard_cost_code_list_id={code_list.pk}"
    default = {"id": made.pk, "standard_cost_code_list_id": code_list.pk}
    assert api.get(f"{base}&view=default").json() == [default]
    assert api.get(f"{base}&view=compact").json() == [{**default, "origin_id": None}]
    assert api.get(base).json() == api.get(f"{base}&view=extended").json()
    assert api.get(base).json()[0]["name"] == "General"
    assert api.get(f"{base}&view=erp").status_code == 400


def test_an_edit_moves_what_is_under_the_code(api, code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Surveying", "01-100-A Stakes")
    path = f"standard_cost_codes/{made['01'].pk}"
    changed = api.patch(path, of(code_list, code="09", name="Finishes"))
    assert (changed.json()["full_code"], changed.json()["name"]) == ("09", "Finishes")
    assert sorted(code_list.codes.values_list("full_code", flat=True)) == [
        "09",
        "09-100",
        "09-100-A",
    ]
    events = Event.objects.filter(entity="cost_code", verb="edited", subject_id=made["01"].pk)
    assert events.get().data["changes"] == {
        "code": ["01", "09"],
        "description": ["General", "Finishes"],
    }


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "No code"}, "code"),
        ({"code": "05"}, "name"),
        ({"code": "x" * 31, "name": "Long"}, "code"),
        ({"code": "05", "name": "y" * 256}, "name"),
        ({"code": "01", "name": "Taken"}, "code"),
        ({"code": "05", "name": "Lost", "parent_id": 999999}, "parent_id"),
        ({"code": ["05"], "name": "List"}, "code"),
    ],
)
def test_a_bad_code_is_422_and_names_the_field(api, code_list, ada, fields, name):
    tree(code_list, ada, "01 General")
    refused = api.post("standard_cost_codes", of(code_list, **fields))
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == [name]
    assert code_list.codes.count() == 1


def test_a_code_is_not_moved_to_another_parent(api, code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Surveying", "02 Sitework")
    refused = api.patch(
        f"standard_cost_codes/{made['01-100'].pk}", of(code_list, parent_id=made["02"].pk)
    )
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["parent_id"]


def test_what_waits_for_accounting_answers_409(api, erp_list, ada, access_of):
    made = tree(erp_list, ada, "01 General")["01"]
    send(erp_list, access_of(ada))
    refused = api.patch(f"standard_cost_codes/{made.pk}", of(erp_list, name="Changed"))
    assert refused.status_code == 409
    assert "Sent to the ERP by Ada Admin" in refused.json()["message"]
    row = api.patch(
        "standard_cost_codes/sync",
        {**of(erp_list), "updates": [{"id": made.pk, "name": "Changed"}]},
    )
    assert "Sent to the ERP by Ada Admin" in row.json()["errors"][0]["errors"]["base"][0]


def test_if_match_protects_against_overwriting(api, code_list, ada):
    made = tree(code_list, ada, "01 General")["01"]
    path = f"standard_cost_codes/{made.pk}?standard_cost_code_list_id={code_list.pk}"
    tag = api.get(path)["ETag"]
    assert api.patch(path, of(code_list, name="Mine"), If_Match=tag).status_code == 200
    assert api.patch(path, of(code_list, name="Yours"), If_Match=tag).status_code == 412


def test_codes_are_deleted_in_an_erps_list_only(api, account, code_list, erp_list, ada):
    ours = tree(code_list, ada, "01 General")["01"]
    theirs = tree(erp_list, ada, "01 General", "01-100 Surveying")
    where = f"?company_id={account.pk}"
    assert api.delete(f"standard_cost_codes/{ours.pk}{where}").status_code == 422
    refused = api.delete(f"standard_cost_codes/{theirs['01'].pk}{where}")
    assert refused.status_code == 422
    assert "under it" in refused.json()["message"]
    deleted = api.delete(f"standard_cost_codes/{theirs['01-100'].pk}{where}")
    assert (deleted.status_code, deleted.json()["full_code"]) == (200, "01-100")
    assert list(erp_list.codes.values_list("full_code", flat=True)) == ["01"]


def test_an_erp_that_owns_its_codes_takes_none_from_the_api(api, account, ada):
    connection = steps.connect(account, by=ada)
    steps.change_config(connection, code_owner="erp")
    code_list = CodeList.objects.get(connection_id=connection.pk)
    refused = api.patch(
        "standard_cost_codes/sync",
        {**of(code_list), "updates": [{"code": "01", "name": "General"}]},
    )
    assert refused.status_code == 422
    assert "owns these cost codes" in refused.json()["message"]


def test_origin_id_links_and_an_empty_one_unlinks(api, erp_list, ada):
    made = tree(erp_list, ada, "01 General")["01"]
    path = f"standard_cost_codes/{made.pk}"
    linked = api.patch(path, of(erp_list, origin_id="SIM-1", origin_data="batch 7"))
    assert linked.json()["origin_id"] == "SIM-1"
    assert linked.json()["origin_data"] == "batch 7"
    base = f"standard_cost_codes?standard_cost_code_list_id={erp_list.pk}"
    assert len(api.get(f"{base}&filters[origin_id]=SIM-1").json()) == 1
    assert api.get(f"{base}&filters[origin_id]=SIM-2").json() == []
    other = api.post("standard_cost_codes", of(erp_list, code="02", name="Site", origin_id="SIM-1"))
    assert other.status_code == 422
    assert "already been taken" in other.json()["errors"]["origin_id"][0]
    assert not CostCode.objects.filter(full_code="02").exists()
    assert api.patch(path, of(erp_list, origin_id="")).json()["origin_id"] is None
    verbs = Event.objects.filter(entity="cost_code", subject_id=made.pk).order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == ["created", "link", "unlink"]


def test_a_linked_code_keeps_its_code(api, erp_list, ada):
    made = tree(erp_list, ada, "01 General")["01"]
    api.patch(f"standard_cost_codes/{made.pk}", of(erp_list, origin_id="SIM-1"))
    refused = api.patch(f"standard_cost_codes/{made.pk}", of(erp_list, code="02"))
    assert refused.status_code == 422
    assert "The ERP knows it" in refused.json()["errors"]["code"][0]


def test_origin_ids_need_the_right_to_import_from_the_erp(make_service, erp_list):
    clerk = make_service("Clerk", levels=Levels(admin=Level.ADMIN))
    refused = clerk.post(
        "standard_cost_codes", of(erp_list, code="01", name="General", origin_id="A")
    )
    assert refused.status_code == 422
    assert "origin_id" in refused.json()["errors"]
    assert erp_list.codes.count() == 0


def test_a_parent_is_not_unlinked_from_over_linked_codes(api, erp_list, ada):
    made = tree(erp_list, ada, "01 General", "01-100 Surveying")
    rows = [{"id": made["01"].pk, "origin_id": "A"}, {"id": made["01-100"].pk, "origin_id": "B"}]
    api.patch("standard_cost_codes/sync", {**of(erp_list), "updates": rows})
    refused = api.patch(f"standard_cost_codes/{made['01'].pk}", of(erp_list, origin_id=None))
    assert "1 is linked to the ERP (01-100 " in refused.json()["errors"]["origin_id"][0]
    both = [{**row, "origin_id": None} for row in rows]
    done = api.patch("standard_cost_codes/sync", {**of(erp_list), "updates": both}).json()
    assert [code["origin_id"] for code in done["entities"]] == [None, None]


def test_sync_creates_updates_and_tells_what_it_could_not_do(api, code_list, ada):
    made = tree(code_list, ada, "01 General", "02 Sitework")
    updates = [
        {"id": made["01"].pk, "name": "General Conditions"},
        {"code": "03", "name": "Concrete", "origin_id": "C3"},
        {"id": 999999, "name": "Nobody"},
        {"code": "02", "name": "Taken"},
        {"code": "100", "name": "Survey", "parent_id": made["01"].pk},
        {"code": "", "name": "Empty"},
    ]
    answer = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": updates})
    assert answer.status_code == 200
    done = answer.json()
    assert [code["full_code"] for code in done["entities"]] == ["01", "03", "01-100"]
    assert done["entities"][0]["name"] == "General Conditions"
    assert [list(error["errors"]) for error in done["errors"]] == [["id"], ["code"], ["code"]]
    again = [{"origin_id": "C3", "name": "Cast Concrete"}]
    synced = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": again}).json()
    assert [code["name"] for code in synced["entities"]] == ["Cast Concrete"]
    assert code_list.codes.count() == 4


def test_sync_takes_codes_with_and_without_the_parents_prefix(api, code_list, ada):
    top = tree(code_list, ada, "02 Sitework")["02"]
    updates = [
        {"code": "02-220", "name": "Demolition", "parent_id": top.pk},
        {"code": "230", "name": "Earthwork", "parent_id": top.pk},
    ]
    done = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": updates}).json()
    assert [code["full_code"] for code in done["entities"]] == ["02-220", "02-230"]
    assert [code["code"] for code in done["entities"]] == ["220", "230"]
    changed = [{"id": done["entities"][0]["id"], "code": "02-221"}]
    synced = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": changed}).json()
    assert synced["entities"][0]["full_code"] == "02-221"


def test_the_same_origin_id_twice_in_one_batch_is_handled_in_order(api, code_list):
    updates = [
        {"code": "01", "name": "First", "origin_id": "A"},
        {"name": "Second", "origin_id": "A"},
    ]
    done = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": updates}).json()
    assert done["errors"] == []
    assert code_list.codes.get().description == "Second"


def test_codes_that_would_meet_are_refused(api, code_list, ada):
    made = tree(code_list, ada, "01 General", "01-100 Surveying", "03 Other")
    updates = [
        {"id": made["01"].pk, "code": "02"},
        {"id": made["03"].pk, "code": "04"},
        {"code": "05", "name": "Once"},
        {"code": "05", "name": "Twice"},
    ]
    CostCodeFactory.create(list=code_list, code="02-100", description="Flat")
    done = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": updates}).json()
    assert [code["full_code"] for code in done["entities"]] == ["04", "05"]
    assert [list(error["errors"]) for error in done["errors"]] == [["code"], ["code"]]


def test_more_than_a_thousand_rows_are_413(api, code_list):
    updates = [{"code": str(n), "name": "x"} for n in range(1_001)]
    refused = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": updates})
    assert refused.status_code == 413


def test_a_sync_of_a_thousand_rows_takes_few_more_queries_than_one_of_ten(api, code_list):
    def queries(begin: int, count: int) -> int:
        rows = [{"code": f"{n:05}", "name": f"Work {n}"} for n in range(begin, begin + count)]
        with CaptureQueriesContext(
            database,
        ) as made:
            done = api.patch("standard_cost_codes/sync", {**of(code_list), "updates": rows}).json()
        assert len(done["entities"]) == count
        changed = [{"id": code["id"], "name": "New " + code["name"]} for code in done["entities"]]
        with CaptureQueriesContext(database) as edited:
            done = api.patch(
                "standard_cost_codes/sync", {**of(code_list), "updates": changed}
            ).json()
        assert done["errors"] == []
        return len(made) + len(edited)

    few = queries(0, 10)
    assert queries(100, 1_000) <= few + 100


def test_a_page_of_a_long_list_takes_a_fixed_number_of_queries(api, account):
    code_list = CodeListFactory.create(account=account)
    for _ in range(30):
        CostCodeFactory.create(list=code_list)
    base = f"standard_cost_codes?standard_cost_code_list_id={code_list.pk}"
    with CaptureQueriesContext(database) as few:
        assert len(api.get(f"{base}&per_page=5").json()) == 5
    with CaptureQueriesContext(database) as many:
        response = api.get(f"{base}&per_page=25&sort=-code")
    assert len(many) == len(few)
    assert (response["Total"], response["Per-Page"]) == ("30", "25")
    assert 'rel="next"' in response["Link"]


def test_strangers_see_nothing_and_readers_change_nothing(
    api, stranger, codes_reader, reader, code_list, ada
):
    made = tree(code_list, ada, "01 General")["01"]
    code_path = f"standard_cost_codes/{made.pk}?standard_cost_code_list_id={code_list.pk}"
    for method, path, body in [
        ("GET", f"standard_cost_code_lists/{code_list.pk}", None),
        ("PATCH", f"standard_cost_code_lists/{code_list.pk}", {"standard_cost_code_list": {}}),
        ("GET", code_path, None),
        ("PATCH", code_path, of(code_list, name="x")),
        ("DELETE", f"standard_cost_codes/{made.pk}", None),
        ("POST", "standard_cost_codes", of(code_list, code="9", name="x")),
        ("PATCH", "standard_cost_codes/sync", {**of(code_list), "updates": []}),
    ]:
        assert stranger(method, path, body).status_code == 404
        expected = 200 if method == "GET" else 403
        assert codes_reader(method, path, body).status_code == expected
        assert reader(method, path, body).status_code == 403
    assert stranger.get("standard_cost_code_lists").json() == []

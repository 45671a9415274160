"""Sub jobs of projects over HTTP."""

from __future__ import annotations

import pytest

from admin_wbs.models import Segment, SubJob
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event


@pytest.fixture
def enabled(account, ada):
    default_structure.ensure(account.pk)
    segment = Segment.objects.get(account=account, kind=Segment.Kind.SUB_JOB)
    segment_services.enable(segment, on=True, by=ada)


def body(project, **fields) -> dict:
    return {"project_id": project.pk, "sub_job": fields}


def test_sub_jobs_are_made_changed_shown_and_deleted(api, project, enabled):
    made = api.post("sub_jobs", body(project, code="N", name="North Tower", origin_data="x"))
    assert made.status_code == 201
    assert set(made.json()) == {
        "id", "code", "name", "origin_id", "origin_data", "created_at", "updated_at",
    }  # fmt: skip
    path = f"sub_jobs/{made.json()['id']}?project_id={project.pk}"
    assert api.patch(path, body(project, name="North")).json()["name"] == "North"
    listed = api.get(f"sub_jobs?project_id={project.pk}").json()
    assert [sub_job["code"] for sub_job in listed] == ["N"]
    assert api.delete(path).json()["code"] == "N"
    assert api.get(path).status_code == 404
    verbs = Event.objects.filter(entity="sub_job").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["created", "edited", "deleted"]


def test_where_sub_jobs_are_not_enabled_none_are_made(api, project):
    refused = api.post("sub_jobs", body(project, code="N", name="North"))
    assert refused.status_code == 422
    assert "not enabled" in refused.json()["message"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"code": "N"}, "name"),
        ({"name": "North"}, "code"),
        ({"code": "s", "name": "North"}, "code"),
        ({"code": "N", "name": "south"}, "name"),
        ({"code": "x" * 31, "name": "North"}, "code"),
    ],
)
def test_a_bad_sub_job_is_422_and_names_the_field(api, project, enabled, fields, name):
    api.post("sub_jobs", body(project, code="S", name="South"))
    refused = api.post("sub_jobs", body(project, **fields))
    assert (refused.status_code, list(refused.json()["errors"])) == (422, [name])


def test_sub_jobs_are_synced_row_by_row_and_a_known_one_keeps_its_code(api, project, enabled):
    path = f"sub_jobs/sync?project_id={project.pk}"
    updates = [
        {"code": "N", "name": "North", "origin_id": "J1"},
        {"code": "S", "name": "South", "origin_id": "J2"},
        {"code": "s", "name": "Other"},
        {"id": 999999, "name": "Nobody"},
    ]
    done = api.patch(path, {"updates": updates}).json()
    assert [sub_job["code"] for sub_job in done["entities"]] == ["N", "S"]
    assert [list(error["errors"]) for error in done["errors"]] == [["code"], ["id"]]
    again = [{"origin_id": "J1", "name": "North Tower"}, {"origin_id": "J2", "code": "SO"}]
    synced = api.patch(path, {"updates": again}).json()
    assert [sub_job["name"] for sub_job in synced["entities"]] == ["North Tower"]
    assert "another system" in synced["errors"][0]["errors"]["code"][0]
    matches = api.get(f"sub_jobs?project_id={project.pk}&filters[origin_id]=J2").json()
    assert [sub_job["code"] for sub_job in matches] == ["S"]
    kept = api.delete(f"sub_jobs/{matches[0]['id']}?project_id={project.pk}")
    assert kept.status_code == 422


def test_what_the_erp_calls_a_sub_job_needs_the_right_to_import_and_is_in_its_history(
    api, make_service, project, enabled
):
    levels = Levels(admin=Level.ADMIN)
    clerk = make_service("Clerk", levels=levels, on_projects=levels, projects=[project])
    pk = clerk.post("sub_jobs", body(project, code="N", name="North")).json()["id"]
    for fields in ({"origin_id": "J1"}, {"origin_data": "x"}):
        refused = clerk.patch(f"sub_jobs/{pk}", body(project, **fields))
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["origin_id"])
    updates = [{"code": "S", "name": "South", "origin_id": "J2"}]
    path = f"sub_jobs/sync?project_id={project.pk}"
    assert "origin_id" in clerk.patch(path, {"updates": updates}).json()["errors"][0]["errors"]
    api.patch(f"sub_jobs/{pk}", body(project, origin_id="J1", name="North Tower"))
    api.patch(f"sub_jobs/{pk}", body(project, origin_id=None))
    events = Event.objects.filter(entity="sub_job", subject_id=pk).order_by("pk")
    assert [(event.verb, event.data.get("changes")) for event in events] == [
        ("created", None),
        ("edited", {"name": ["North", "North Tower"]}),
        ("link", {"origin_id": ["", "J1"]}),
        ("unlink", {"origin_id": ["J1", ""]}),
    ]
    assert {event.data["project_id"] for event in events} == {project.pk}


def test_strangers_see_nothing_and_readers_change_nothing(
    api, stranger, make_service, reader, project, enabled
):
    levels = Levels(admin=Level.READ_ONLY)
    looker = make_service("Looks", levels=levels, on_projects=levels, projects=[project])
    pk = api.post("sub_jobs", body(project, code="N", name="North")).json()["id"]
    scope = f"?project_id={project.pk}"
    for method, path, sent in [
        ("GET", f"sub_jobs{scope}", None),
        ("GET", f"sub_jobs/{pk}{scope}", None),
        ("POST", f"sub_jobs{scope}", body(project, code="S", name="South")),
        ("PATCH", f"sub_jobs/{pk}{scope}", body(project, name="x")),
        ("DELETE", f"sub_jobs/{pk}{scope}", None),
        ("PATCH", f"sub_jobs/sync{scope}", {"updates": []}),
    ]:
        assert stranger(method, path, sent).status_code == 404
        assert looker(method, path, sent).status_code == (200 if method == "GET" else 403)
        assert reader(method, path, sent).status_code == 403
    assert SubJob.objects.get().name == "North"

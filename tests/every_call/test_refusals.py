"""A refused call changes nothing: every writing operation, with each of its refusals.

All tables are compared before and after. ``RECORDS`` has the tables that a refusal may write to;
the calls of an application are counted in the cache, not in a table.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection as database
from django.db import transaction

from directory.models import Company, Department
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.access.services.people import Levels
from erpbridge.rest import responses, sync
from erpbridge.rest.views import CHANGED
from tests.db.transactions import taken_back, uncounted
from tests.every_call import writes
from tests.every_call.writes import Call, Operation, Scene
from tests.rest import contract

# The stored answer for an idempotency key.
RECORDS = {"rest_remembered"}
# A click on many rows is answered 200 and stored, with the reason why each row was refused.
CLICKS = "erp_integrations_request"
MANY = re.compile(r"[a-z_]+/actions/\w+|standard_cost_code_lists/\{id\}/actions/\w+")
READ_ONLY = Levels(Level.READ_ONLY, Level.READ_ONLY, Level.READ_ONLY)
WRONG = {"wrong": [1]}
WITHOUT_ETAG = '"no record ever had this"'
NONSENSE = "nonsense"


@pytest.fixture
def scene(all_segments, account, ada) -> Scene:
    return Scene(account, ada)


@pytest.fixture
def observer(make_service, scene):
    """A program that sees everything and may write nothing."""
    projects = [scene.project, scene.plain]
    return make_service("Observer", levels=READ_ONLY, on_projects=READ_ONLY, projects=projects)


@pytest.fixture
def without_import_right(make_service, scene):
    """A program that may write all records, but not their ERP IDs."""
    return make_service("Estimator", levels=Levels(Level.ADMIN, Level.ADMIN, Level.NONE))


def tables() -> dict[str, list[Any]]:
    """Every row of every table of the product."""
    names = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - RECORDS
    there = set(database.introspection.table_names())
    contents = {}
    with database.cursor() as cursor:
        for name in sorted(names & there):
            cursor.execute(f"SELECT * FROM {database.ops.quote_name(name)} ORDER BY 1")
            contents[name] = cursor.fetchall()
    return contents


class Watched:
    """Calls that must change no table when they are refused."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.before = scene, tables()
        self.problems: list[str] = []
        self.since: list[Operation] = []

    def refused(self, api: Any, operation: Operation, call: Call, **headers: str) -> Any:
        """The answer; a call that is carried out is rolled back, and noted as a problem."""
        answer = self.tried(api, operation, call, **headers)
        if answer.status_code < 400:
            self.problems.append(f"{operation}: {answer.status_code}, not refused")
        return answer

    def tried(self, api: Any, operation: Operation, call: Call, **headers: str) -> Any:
        """The answer to a call that may be carried out, and is rolled back then."""
        if MANY.fullmatch(operation.name):
            self.look()
        # A refused call is not rolled back, to see that it has changed nothing.
        with uncounted():
            answer = send(self.scene, api, operation, call, **headers)
            done = answer.status_code < 400 and not nothing_but_errors(answer)
            transaction.set_rollback(done)
        return answer

    def compare(self, operation: Operation) -> None:
        """Compare the tables after every ten operations, and after each click on many rows."""
        self.since.append(operation)
        if MANY.fullmatch(operation.name):
            self.look(CLICKS)
        elif len(self.since) == 10:
            self.look()

    def look(self, *kept: str) -> None:
        """Note the tables that the refused calls since the last comparison have changed."""
        if not self.since:
            return
        now = tables()
        changed = [name for name in set(now) - set(kept) if now[name] != self.before[name]]
        if changed:
            those = "; ".join(map(str, self.since))
            self.problems.append(f"one of {those}: changed {', '.join(sorted(changed))}")
        self.before, self.since = now, []

    def nothing_changed(self) -> bool:
        """Whether no refused call had an effect; otherwise the failure lists those that had."""
        self.look()
        assert self.problems == []
        return True


def send(scene: Scene, api: Any, operation: Operation, call: Call, **headers: str) -> Any:
    return api(operation.method, scene.address(operation, call), call.body, **headers)


def nothing_but_errors(answer: Any) -> bool:
    """A sync of which every row was refused, which is answered 200."""
    if answer.status_code not in (200, 201) or not answer.content.startswith(b'{"entities":[]'):
        return False
    return bool(answer.json()["errors"])


def with_query(call: Call, query: str) -> Call:
    return Call(call.pk, call.body, "&".join(filter(None, [call.query, query])), call.path)


def wrong_bodies(body: Any) -> Iterator[Any]:
    """The body with each field in turn, at any depth, replaced by a value that none accepts."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield {**body, name: WRONG}
            for inner in wrong_bodies(value):
                yield {**body, name: inner}
    elif isinstance(body, list) and body:
        for inner in wrong_bodies(body[0]):
            yield [inner, *body[1:]]


def test_every_writing_operation_of_the_description_is_called(scene, api):
    """The tests below rely on it: without a wrong value the call is carried out."""
    watched = Watched(scene)
    for operation in writes.operations():
        call = scene.call(operation)
        with taken_back():
            answer = send(scene, api, operation, call)
            changed = tables() != watched.before
        if answer.status_code >= 400 or nothing_but_errors(answer):
            watched.problems.append(f"{operation}: {answer.status_code} {answer.content[:300]!r}")
        elif not changed and operation.name != "cost_codes/{id}":
            watched.problems.append(f"{operation}: changes nothing")
        watched.compare(operation)
    assert watched.nothing_changed()


def test_without_the_right_nothing_happens(scene, observer):
    watched = Watched(scene)
    for operation in writes.operations():
        answer = watched.tried(observer, operation, scene.call(operation))
        refused = answer.status_code in (403, 404) or nothing_but_errors(answer)
        assert refused, (operation, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()


def test_with_a_wrong_field_nothing_happens(scene, api):
    watched = Watched(scene)
    for operation in writes.distinct():
        call = scene.call(operation)
        for body in [[], "text", *wrong_bodies(call.body)]:
            answer = watched.tried(api, operation, Call(call.pk, body, call.query, call.path))
            assert answer.status_code < 500, (operation, body, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()


def test_with_a_wrong_parameter_nothing_happens(scene, api):
    watched = Watched(scene)
    described = writes.parameters()
    for operation in writes.distinct():
        call = scene.call(operation)
        names = {"view", "run_configurable_validations", *described[operation]}
        for name in sorted(names):
            answer = watched.tried(api, operation, with_query(call, f"{name}={NONSENSE}"))
            assert answer.status_code < 500, (operation, name, answer.content)
            if name == "view" and name in described[operation]:
                assert answer.status_code == 400, (operation, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()


def test_after_somebody_else_nothing_happens(scene, api):
    """412 for every address, whether it shows a record or not; and the description says which."""
    watched, conditional = Watched(scene), writes.conditional()
    for operation in writes.distinct():
        call = scene.call(operation)
        answer = watched.refused(api, operation, call, If_Match=WITHOUT_ETAG)
        if answer.status_code not in (404, 412):
            watched.problems.append(f"{operation}: {answer.status_code} {answer.content!r}")
        elif (CHANGED in answer.text) is not (operation in conditional):
            watched.problems.append(f"{operation}: {answer.text}, not as described")
        watched.compare(operation)
    assert watched.nothing_changed()


def test_what_is_written_in_batches_has_no_etag_either(api, account):
    people = Membership.objects.count()
    rows = {"updates": [writes.user(number) for number in range(sync.BATCH + 1)]}
    assert api.patch("users/sync", rows, If_Match=WITHOUT_ETAG).status_code == 412
    assert Membership.objects.count() == people


def test_what_is_taken_is_refused_and_nothing_happens(scene, api):
    watched = Watched(scene)
    conflicts = {str(operation): operation for operation in writes.operations()}
    for name, body in taken(scene).items():
        operation = conflicts[name]
        call = scene.call(operation)
        answer = watched.tried(api, operation, Call(call.pk, body, call.query, call.path))
        refused = answer.status_code in (409, 422) or nothing_but_errors(answer)
        assert refused, (operation, answer.status_code, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()


def taken(scene: Scene) -> dict[str, Any]:
    """Bodies with a change, and with a name, a code or an ERP ID that another record has."""
    v1 = "/rest/v1.0"
    lists, here = writes.in_list, writes.in_project
    company = f"{v1}/companies/{{company_id}}"
    policies = f"{company}/vendors/{{vendor_id}}/insurances"
    structure = f"{company}/work_breakdown_structure/segments"
    item = {"code": "P2", "name": "Other"}
    code = {"code": "77", "name": "New", "origin_id": "TAKEN"}
    sub_job = {"code": "Z", "name": "Zone", "origin_id": "TAKEN"}
    kind = {"name": "Kind", "csv_import_code": "K", "origin_id": "TAKEN"}
    firm = {"name": "Changed", "city": "Bend", "origin_id": "TAKEN"}
    policy = {"name": "Changed", "origin_id": "TAKEN"}
    person = writes.user(7, origin_id="TAKEN")
    title = {"job_title": "Changed", "origin_id": "TAKEN"}
    number = {"name": "Changed", "project_number": "8"}
    return {
        f"POST {v1}/vendors": {"vendor": firm},
        f"PATCH {v1}/vendors/{{id}}": {"vendor": firm},
        f"PATCH {v1}/vendors/sync": {"updates": [{**firm, "id": scene.vendor.pk}]},
        f"POST {policies}": {"insurance": policy},
        f"PATCH {policies}/{{id}}": {"insurance": policy},
        f"PATCH {policies}/sync": {"updates": [{**policy, "id": scene.insurance.pk}]},
        f"POST {v1}/users": {"user": person},
        f"PATCH {v1}/users/{{id}}": {"user": title},
        f"PATCH {v1}/users/sync": {"updates": [{**title, "id": scene.member.user_id}]},
        f"POST {v1}/projects": {"project": number},
        f"PATCH {v1}/projects/{{project_id}}": {"project": number},
        f"PATCH {v1}/projects/sync": {"updates": [number, {**number, "id": scene.project.pk}]},
        f"POST {company}/trades": {"trade": {"name": "masonry"}},
        f"POST {v1}/departments": {"department": {"name": "SOUTH"}},
        f"PATCH {v1}/departments/{{id}}": {"department": {"name": "South"}},
        f"POST {v1}/line_item_types": {"line_item_type": kind},
        f"PATCH {v1}/line_item_types/{{id}}": {"line_item_type": kind},
        f"PATCH {v1}/line_item_types/sync": {"updates": [{**kind, "id": scene.cost_type.pk}]},
        f"POST {v1}/standard_cost_code_lists": {"standard_cost_code_list": {"name": "commercial"}},
        f"PATCH {v1}/standard_cost_code_lists/{{id}}": {
            "standard_cost_code_list": {"name": "Commercial"}
        },
        f"POST {v1}/standard_cost_codes": lists(scene, standard_cost_code=code),
        f"PATCH {v1}/standard_cost_codes/{{id}}": lists(scene, standard_cost_code=code),
        f"PATCH {v1}/standard_cost_codes/sync": lists(
            scene, updates=[{**code, "id": scene.code.pk}]
        ),
        f"POST {v1}/sub_jobs": here(scene, sub_job=sub_job),
        f"PATCH {v1}/sub_jobs/{{id}}": here(scene, sub_job=sub_job),
        f"PATCH {v1}/sub_jobs/sync": here(scene, updates=[{**sub_job, "id": scene.sub_job.pk}]),
        f"PATCH {structure}/{{id}}": {"name": "Zone"},
        f"POST {structure}/{{segment_id}}/segment_items": item,
        f"PATCH {structure}/{{segment_id}}/segment_items/{{id}}": item,
        f"POST {company}/erp_queue/{{id}}/actions/accept": {"digest": "0" * 64},
        f"POST {company}/vendors/{{id}}/actions/send_to_erp": {"revision": 99},
        f"POST {company}/standard_cost_codes/{{id}}/actions/send_to_erp": {"revision": 99},
    }


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "once"}], ids=["plain", "with a key"])
def test_what_cannot_be_answered_did_not_happen(scene, api, monkeypatch, headers):
    def dumps(value: Any) -> bytes:
        if isinstance(value, dict) and "code" in value and "message" in value:
            return written(value)
        raise TypeError("cannot be written")

    written = responses.dumps
    monkeypatch.setattr(responses, "dumps", dumps)
    # A server error is not described.
    monkeypatch.setattr(contract, "check", lambda *_call: None)
    watched = Watched(scene)
    silent = set()
    for operation in writes.distinct():
        answer = watched.tried(api, operation, scene.call(operation), **headers)
        if answer.status_code < 400:
            silent.add(answer.status_code)
        elif answer.status_code != 500:
            watched.problems.append(f"{operation}: {answer.status_code} {answer.content!r}")
        watched.compare(operation)
    assert watched.nothing_changed()
    assert silent == {204}, "only what has no body is answered at all"


# --- the examples ---------------------------------------------------------------------------


def test_who_may_not_import_makes_no_vendor_with_an_origin_id(scene, without_import_right):
    watched = Watched(scene)
    for operation in writes.operations():
        call = scene.call(operation)
        if "origin_id" not in str(call.body):
            continue
        answer = watched.tried(without_import_right, operation, call)
        refused = answer.status_code in (403, 422) or nothing_but_errors(answer)
        of_people_or_policies = operation.name.startswith(("users", "vendors/{vendor_id}"))
        assert refused or of_people_or_policies, (operation, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()


def test_a_city_stays_where_the_origin_id_beside_it_is_refused(api, without_import_right, scene):
    Company.objects.filter(pk=scene.vendor.pk).update(city="Salem")
    body = {"vendor": {"city": "Bend", "origin_id": "E-9"}}
    assert without_import_right.patch(f"vendors/{scene.vendor.pk}", body).status_code == 422
    rows = {"updates": [{"id": scene.vendor.pk, **body["vendor"]}]}
    answer = without_import_right.patch("vendors/sync", rows).json()
    assert [list(error["errors"]) for error in answer["errors"]] == [["origin_id"]]
    scene.vendor.refresh_from_db()
    assert scene.vendor.city == "Salem"


def test_an_unknown_view_leaves_no_department(api, account):
    refused = api.post("departments?view=normal", {"department": {"name": "East"}})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["view"])
    assert not Department.objects.exists()


def test_a_good_row_beside_a_refused_one_is_stored_whole(api, scene):
    rows = [
        {"id": scene.vendor.pk, "city": "Bend", "origin_id": "E-1"},
        {"id": scene.registered.pk, "city": "Bend", "origin_id": "TAKEN"},
        {"name": "New Firm", "origin_id": "E-2"},
    ]
    body = api.patch("vendors/sync", {"updates": copy.deepcopy(rows)}).json()
    assert [entity["origin_id"] for entity in body["entities"]] == ["E-1", "E-2"]
    assert [error["id"] for error in body["errors"]] == [scene.registered.pk]
    scene.registered.refresh_from_db()
    assert scene.registered.city == ""


def test_a_row_that_is_nested_too_deeply_takes_the_good_row_with_it(api, account):
    deep = b'{"inner":' * 300 + b"1" + b"}" * 300
    rows = b'{"updates":[{"name":"Good Firm"},{"name":"Deep Firm","notes":' + deep + b"}]}"
    refused = api.patch("vendors/sync", rows)
    assert refused.status_code == 400
    assert not Company.objects.exists()

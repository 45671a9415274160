"""Several callers at once, in threads of their own, on the real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections as databases
from zeal import zeal_ignore

from admin_wbs.models import CostCode, CostType, SubJob
from directory.models import Company, Insurance
from erpbridge.access.models import Membership, Project
from tests.every_call import writes
from tests.every_call.writes import Call, Operation, Scene
from tests.rest.fixtures import Api

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 5
REFUSED = {404, 409, 412}


def at_once(api: Api, act: Callable[[Api, int], Any]) -> list[Any]:
    """What each of five callers was answered; all start at the same moment."""
    barrier = threading.Barrier(CALLERS)

    def run(number: int) -> Any:
        try:
            caller = Api(api.token, api.company)
            barrier.wait(20)
            with zeal_ignore():  # a sync of people stores each for itself
                return act(caller, number)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(CALLERS) as pool:
        return [future.result(120) for future in [pool.submit(run, n) for n in range(CALLERS)]]


def statuses(responses: Sequence[Any]) -> list[int]:
    return sorted(response.status_code for response in responses)


# --- the same new record, five times --------------------------------------------------------


def test_five_vendors_with_one_origin_id_are_one(api):
    body = {"vendor": {"name": "Dup", "origin_id": "E-1"}}
    responses = at_once(api, lambda caller, _n: caller.post("vendors", body))
    assert statuses(responses) == [201, 422, 422, 422, 422]
    assert [company.origin_id for company in Company.objects.all()] == ["E-1"]


def test_five_users_with_one_address_are_one(api):
    body = {"user": writes.user()}
    responses = at_once(api, lambda caller, _n: caller.post("users", body))
    assert statuses(responses) == [201, 422, 422, 422, 422]
    assert Membership.objects.filter(user__email="new1@example.com").count() == 1


def rows_of(count: int, **values: str) -> list[dict[str, str]]:
    return [{name: text.format(number) for name, text in values.items()} for number in range(count)]


PERSON = {"last_name": "P{}", "email_address": "p{}@example.com", "origin_id": "N-{}"}
POLICY = {"name": "Policy", "origin_id": "N-{}"}
KIND = {"csv_import_code": "T{}", "name": "T{}", "origin_id": "N-{}"}
CODE = {"code": "C{}", "name": "Code", "origin_id": "N-{}"}
SYNCS: dict[str, tuple[type[Any], int, dict[str, str]]] = {
    "vendors/sync": (Company, 50, {"name": "Firm {}", "origin_id": "N-{}"}),
    "users/sync": (Membership, 8, PERSON),
    "projects/sync": (Project, 10, {"name": "Pier {}", "origin_id": "N-{}"}),
    "standard_cost_codes/sync": (CostCode, 20, CODE),
    "line_item_types/sync": (CostType, 10, KIND),
    "sub_jobs/sync": (SubJob, 10, {"code": "S{}", "name": "S{}", "origin_id": "N-{}"}),
    "vendors/{vendor_id}/insurances/sync": (Insurance, 10, POLICY),
}


def test_the_rows_of_a_sync_by_five_callers_are_stored_once(api, account, ada, all_segments):
    scene = Scene(account, ada)
    for operation in first_of_each():
        if operation.name not in SYNCS:
            continue
        model, count, values = SYNCS[operation.name]
        call = scene.call(operation)
        body = {**call.body, "updates": rows_of(count, **values)}
        path = scene.address(operation, call)
        before = model._base_manager.count()
        responses = at_once(api, lambda caller, _n, p=path, b=body: caller.patch(p, b))
        answers = [(response.status_code, response.json().get("errors")) for response in responses]
        assert answers == [(200, [])] * CALLERS, operation
        assert model._base_manager.count() == before + count, operation
        ids = {tuple(row["id"] for row in response.json()["entities"]) for response in responses}
        assert len(ids) == 1, operation


# --- one state, five writers ----------------------------------------------------------------


def first_of_each() -> list[Operation]:
    """Each operation under its first address; those that delete come last."""
    first: dict[tuple[str, str], Operation] = {}
    for operation in writes.operations():
        first.setdefault((operation.method, operation.name), operation)
    return sorted(
        first.values(), key=lambda operation: (operation.method == "DELETE", str(operation))
    )


# What the callers write, where the text is another for each of them.
CHANGES: dict[str, Callable[[Scene, str], Any]] = {
    "vendors/{id}": lambda _s, word: {"vendor": {"city": word}},
    "vendors/{id}/business_register": lambda _s, word: {
        "business_register": {"identifier": f"12-{word[-1]}"}
    },
    "vendors/{vendor_id}/insurances/{id}": lambda _s, word: {"insurance": {"limit": word}},
    "departments/{id}": lambda _s, word: {"department": {"name": word}},
    "users/{id}": lambda _s, word: {"user": {"job_title": word}},
    "projects/{project_id}": lambda _s, word: {"project": {"city": word}},
    "line_item_types/{id}": lambda _s, word: {"line_item_type": {"name": word}},
    "standard_cost_code_lists/{id}": lambda _s, word: {"standard_cost_code_list": {"name": word}},
    "standard_cost_codes/{id}": lambda s, word: writes.in_list(
        s, standard_cost_code={"name": word}
    ),
    "sub_jobs/{id}": lambda s, word: writes.in_project(s, sub_job={"name": word}),
    f"{writes.WBS}/segments/{{id}}": lambda _s, word: {"name": word},
    f"{writes.ITEMS}/{{id}}": lambda _s, word: {"name": word},
    f"{writes.WBS}/wbs_codes/{{id}}": lambda _s, word: {"description": word},
}
# Where the ETag of the record is read, if it is not the address that is written to.
READ_AT = {
    "vendors/inactive/{id}": "",  # the company's vendors have no address under their company
    "users/inactive/{id}": "users/{id}",
    "vendors/{id}/actions/remove": "vendors/{id}",
    "users/{id}/actions/remove": "users/{id}",
    **dict.fromkeys(
        (
            f"erp_queue/{{id}}/actions/{action}"
            for action in ("accept", "answer", "reject", "retry")
        ),
        "erp_queue/{id}",
    ),
    **dict.fromkeys(
        (
            f"erp_queue/{{id}}/actions/{action}"
            for action in ("link_instead", "unlink", "use_anyway", "withdraw")
        ),
        "erp_queue/{id}",
    ),
    **dict.fromkeys(
        (
            f"{writes.WBS}/patterns/{action}"
            for action in ("add_segment", "remove_segment", "update_segment_order")
        ),
        f"{writes.WBS}/patterns",
    ),
}
# None of its fields can be changed here: every caller sends the stored values.
UNCHANGEABLE = {"cost_codes/{id}"}


def tag_of(api: Api, scene: Scene, operation: Operation, call: Call) -> str:
    """The ETag that all callers have read."""
    name, path = operation.name, scene.address(operation, call).partition("?")[0]
    if name.endswith("business_register"):
        return str(api.patch(path, CHANGES[name](scene, "first 0"))["ETag"])
    if name in READ_AT:
        path = path[: path.rindex(name.partition("/")[0])] + READ_AT[name]
        path = path.replace("{id}", str(call.pk))
    if name == "vendors/inactive/{id}":
        path = f"/rest/v1.0/vendors/{call.pk}"
    code_list = scene.erp_list if operation.method == "DELETE" else scene.list
    query = f"?standard_cost_code_list_id={code_list.pk}"
    query = f"?project_id={scene.plain.pk}" if name.startswith("sub_jobs") else query
    answer = api.get(path + query)
    assert answer.status_code == 200, (operation, path, answer.content)
    return str(answer["ETag"])


def has_one_state(operation: Operation) -> bool:
    """Whether the operation is about one record that has an ETag."""
    if operation.name in UNCHANGEABLE or operation.method == "POST":
        return operation.name in READ_AT and operation.name not in UNCHANGEABLE
    return operation.name in READ_AT or operation.name.endswith(
        ("{id}", "{project_id}", "register")
    )


def test_of_five_writers_with_one_etag_exactly_one_wins(api, account, ada, all_segments):
    scene = Scene(account, ada)
    known = [operation for operation in first_of_each() if has_one_state(operation)]
    for operation in known:
        call = scene.call(operation)
        change = CHANGES.get(operation.name) if operation.method == "PATCH" else None
        tag = tag_of(api, scene, operation, call)

        def write(
            caller: Api, number: int, operation=operation, call=call, change=change, tag=tag
        ) -> Any:
            body = change(scene, f"Caller {number + 1}") if change else call.body
            return caller(operation.method, scene.address(operation, call), body, If_Match=tag)

        responses = at_once(api, write)
        won = [response for response in responses if response.status_code < 300]
        assert len(won) == 1, (operation, [response.content for response in responses])
        lost = {response.status_code for response in responses if response not in won}
        assert lost <= REFUSED, (operation, lost)
    assert len({operation.name for operation in known}) >= len(CHANGES) + len(READ_AT)

"""A body that names a row of another account is refused, whatever field names it.

The fields come from the description: every whole number, and every list of them, whose name says
that it is an id. A field that is new there needs a line in ``FOREIGN``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from erpbridge.rest.schema.openapi import describe
from tests.every_call import writes
from tests.every_call.test_refusals import Watched, nothing_but_errors, with_query
from tests.every_call.writes import Operation, Scene

# Field name -> the id of such a row in the other account. For ``id`` and ``ids`` see ``ABOUT``.
FOREIGN: dict[str, Callable[[Scene], int]] = {
    "company_id": lambda s: s.account.pk,
    "bidding_distribution_ids": lambda s: s.member.user_id,
    "primary_contact_id": lambda s: s.member.user_id,
    "trade_ids": lambda s: s.trade.pk,
    "standard_cost_code_id": lambda s: s.further.pk,
    "standard_cost_code_ids": lambda s: s.further.pk,
    "standard_cost_code_list_id": lambda s: s.list.pk,
    "segment_item_list_id": lambda s: s.list.pk,
    "segment_id": lambda s: s.phase.pk,
    "segment_item_id": lambda s: s.there.pk,
    "project_id": lambda s: s.plain.pk,
    "sub_job_id": lambda s: s.sub_job.pk,
    "vendor_id": lambda s: s.vendor.pk,
}
ABOUT: dict[str, Callable[[Scene], int]] = {
    "cost_codes": lambda s: s.plain_here.pk,
    "erp_queue": lambda s: s.ready.pk,
    "insurances": lambda s: s.insurance.pk,
    "line_item_types": lambda s: s.cost_type.pk,
    "projects": lambda s: s.project.pk,
    "segment_items": lambda s: s.item.pk,
    "standard_cost_codes": lambda s: s.code.pk,
    "sub_jobs": lambda s: s.sub_job.pk,
    "users": lambda s: s.member.user_id,
    "vendors": lambda s: s.vendor.pk,
    "wbs_codes": lambda s: s.budget_code.pk,
}
OF_THE_ADDRESS = {"id", "ids", "parent_id"}
Path = tuple[str, ...]


@pytest.fixture
def scenes(all_segments, account, ada, other_account, olga) -> tuple[Scene, Scene]:
    """The scene of the account, and that of another account."""
    return Scene(account, ada), Scene(other_account, olga)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = describe()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def fields(schema: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    """The paths of a body that hold whole numbers; ``[]`` is an entry of a list."""
    schema = resolved(schema)
    for other in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from fields(other, path)
    if "items" in schema:
        yield from fields(schema["items"], (*path, "[]"))
    for name, field in schema.get("properties", {}).items():
        yield from fields(field, (*path, name))
    if "integer" in (schema.get("type"), *(schema.get("type") or [])):
        yield path


def named(path: Path) -> str:
    return next(part for part in reversed(path) if part != "[]")


def ids(operation: Operation) -> list[Path]:
    """The fields of an operation's body that name rows."""
    described = describe()["paths"][operation.template][operation.method.lower()]
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    numbers = dict.fromkeys(fields(body.get("schema", {})))
    return [path for path in numbers if named(path) in OF_THE_ADDRESS or "_id" in named(path)]


def foreign(operation: Operation, name: str, scene: Scene) -> int:
    if name not in OF_THE_ADDRESS:
        assert name in FOREIGN, f"{operation}: tell this test what {name} names"
        return FOREIGN[name](scene)
    words = [word for word in operation.name.split("/") if word in ABOUT]
    assert words, f"{operation}: tell this test what {name} names"
    return ABOUT[words[-1]](scene)


def with_value(body: Any, path: Path, value: Any) -> Any:
    """The body with one field set, whether it was there or not."""
    if not path:
        return value
    head, *tail = path
    if head == "[]":
        rows = body if isinstance(body, list) else []
        return [with_value(rows[0] if rows else None, tuple(tail), value), *rows[1:]]
    changed = dict(body) if isinstance(body, dict) else {}
    return {**changed, head: with_value(changed.get(head), tuple(tail), value)}


def did_nothing(answer: Any) -> bool:
    """Whether a call for many rows acted on none of them."""
    if nothing_but_errors(answer):
        return True
    body = answer.json() if answer.content else None
    if not isinstance(body, dict):
        return False
    return body.get("successes") == [] or body.get("done") == 0


def test_no_row_of_another_account_is_named_in_a_body(scenes, api):
    scene, other = scenes
    watched = Watched(scene)
    taken = []
    for operation in writes.distinct():
        call = scene.call(operation)
        for path in ids(operation):
            value = foreign(operation, named(path), other)
            body = with_value(copy.deepcopy(call.body), path, value)
            answer = watched.tried(api, operation, replace(call, body=body))
            if not (400 <= answer.status_code < 500 or did_nothing(answer)):
                taken.append((str(operation), ".".join(path), answer.content))
        watched.compare(operation)
    assert not taken, "\n".join(map(str, taken))
    assert watched.nothing_changed()


def test_no_row_of_another_account_is_named_in_a_query(scenes, api):
    scene, other = scenes
    watched = Watched(scene)
    described = writes.parameters()
    taken = []
    for operation in writes.distinct():
        for name in described[operation]:
            if name.endswith("_id"):
                call = replace(scene.call(operation), query="")
                call = with_query(call, f"{name}={foreign(operation, name, other)}")
                body = {key: value for key, value in (call.body or {}).items() if key != name}
                answer = watched.tried(api, operation, replace(call, body=body or None))
                if answer.status_code < 400:
                    taken.append((str(operation), name, answer.content[:200]))
        watched.compare(operation)
    assert not taken, "\n".join(map(str, taken))
    assert watched.nothing_changed()

"""How each writing operation refuses a missing or wrong field, in ``refused.txt``.

After an intended change run with ``ERPBRIDGE_REFUSED=anew``, and review the diff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest

from erpbridge.rest.schema.openapi import describe
from tests.access.test_foreign_ids import resolved
from tests.db.transactions import taken_back
from tests.every_call import golden, writes
from tests.every_call.test_refusals import WRONG, send
from tests.every_call.test_shown import WHOLE
from tests.every_call.test_written import UNKNOWN
from tests.every_call.writes import Call, Operation, Scene

KEPT = Path(__file__).with_name("refused.txt")
MISSING = object()
# Parts of the address, or of every call; other tests cover them.
PASSED_OVER = {"company_id", "project_id"}
# Up to so many fields are tested alone; of more, those that the call lacks are wrong together.
FEW = 6
Field = tuple[str, ...]


@pytest.fixture
def scene(all_segments, account, ada) -> Scene:
    return Scene(account, ada)


@pytest.mark.parametrize("part", range(golden.PARTS))
def test_a_missing_or_wrong_field_is_answered_as_the_file_says(scene, api, part):
    operations = first_of_each()
    blocks = []
    for operation in operations[part :: golden.PARTS]:
        block = [f"{operation.method} {operation.name}"]
        for line in lines(scene, api, operation):
            block += wrap(line, 98, initial_indent="  ", subsequent_indent="      ", **WHOLE)
        blocks.append(block)
    golden.compare(KEPT, part, blocks, of=len(operations), anew="ERPBRIDGE_REFUSED")


def first_of_each() -> list[Operation]:
    """Each operation with a body, once for company and project, which read it the same way."""
    first: dict[tuple[str, str], Operation] = {}
    for operation in writes.operations():
        if schema_of(operation):
            first.setdefault((operation.method, operation.name), operation)
    return list(first.values())


def lines(scene: Scene, api: Any, operation: Operation) -> Iterator[str]:
    known = list(fields(schema_of(operation)))
    call = scene.call(operation)
    alone = known if len(known) <= FEW else [field for field in known if is_in(call.body, field)]
    for field in alone:
        said: dict[str, list[str]] = {}
        for name, value in values_of(field[-1]):
            body = changed(call.body, field, value)
            answer_text = outcome(tried(scene, api, operation, replace(call, body=body)))
            said.setdefault(answer_text, []).append(name)
        for answer_text, names in said.items():
            yield f"{'.'.join(field)} {', '.join(names)}: {answer_text}"
    if known != alone:
        body = call.body
        for field in known:
            inner = any(other[: len(field)] == field != other for other in known)
            finds = "[]" in field and field[-1] in ("id", "origin_id")
            if not inner and not finds:
                body = changed(body, field, WRONG)
        yield f"all wrong: {outcome(tried(scene, api, operation, replace(call, body=body)))}"


def tried(scene: Scene, api: Any, operation: Operation, call: Call) -> Any:
    with taken_back():
        return send(scene, api, operation, call)


def schema_of(operation: Operation) -> Mapping[str, Any]:
    described = describe()["paths"][operation.template][operation.method.lower()]
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema: Mapping[str, Any] = content.get("schema", {})
    return schema


def fields(schema: Mapping[str, Any], path: Field = ()) -> Iterator[Field]:
    """The fields of a body, `[]` for the first row of a list."""
    schema = resolved(dict(schema))
    for name, property_schema in schema.get("properties", {}).items():
        if name not in PASSED_OVER:
            yield (*path, name)
            yield from fields(property_schema, (*path, name))
    if "properties" in schema.get("items", {}):
        yield from fields(schema["items"], (*path, "[]"))


def is_in(body: Any, field: Sequence[str]) -> bool:
    for name in field:
        if name == "[]":
            body = body[0] if body else {}
        elif not isinstance(body, dict) or name not in body:
            return False
        else:
            body = body[name]
    return True


def values_of(name: str) -> list[tuple[str, Any]]:
    values = [("missing", MISSING), ("null", None), ("an object", WRONG)]
    if name.endswith(("id", "ids", "position")):
        values.append(("unknown", [10**9] if name.endswith("ids") else 10**9))
    return values


def changed(body: Any, field: Field, value: Any) -> Any:
    head, *rest = field
    if head == "[]":
        rows = body if isinstance(body, list) and body else [{}]
        return [changed(rows[0], tuple(rest), value), *rows[1:]]
    values = dict(body) if isinstance(body, dict) else {}
    if rest:
        return {**values, head: changed(values.get(head), tuple(rest), value)}
    if value is MISSING:
        return {name: other for name, other in values.items() if name != head}
    return {**values, head: value}


def outcome(answer: Any) -> str:
    """The status, and the messages by field, those of the first refused row."""
    value = answer.json() if answer.content else {}
    errors = value.get("errors", []) if isinstance(value, dict) else []
    if answer.status_code < 400:
        return f"{answer.status_code} {words(errors[0]['errors'])}" if errors else "done"
    return f"{answer.status_code} {words(errors)}"


def words(errors: Any) -> str:
    by_field = errors if isinstance(errors, Mapping) else {"": [errors]}
    text = "; ".join(f"{name}: {' '.join(map(str, said))}" for name, said in by_field.items())
    for pattern, word in UNKNOWN:
        text = pattern.sub(word, text)
    return text


# --- texts that are longer than the description says ------------------------------------------

# Described together with the call that sends, and not read.
UNREAD = {("vendors/actions/retrieve_from_erp", "note")}


def test_a_text_longer_than_the_description_says_is_refused(scene, api):
    asked, taken = 0, []
    for operation in first_of_each():
        call = scene.call(operation)
        for field, most in limits(schema_of(operation)):
            body = changed(call.body, field, "x" * (most + 1))
            asked += 1
            if outcome(tried(scene, api, operation, replace(call, body=body))) == "done":
                taken.append((operation.name, ".".join(field)))
    assert set(taken) == UNREAD
    assert asked > 100


def test_several_lines_are_too_long_in_the_words_of_one(scene, api):
    path = f"/rest/v1.0/companies/{scene.account.pk}/vendors/{scene.vendor.pk}/insurances"
    for name, most in (("name", 255), ("notes", 10_000)):
        answer = api.post(path, {"insurance": {name: "x" * (most + 1)}})
        expected = f"Ensure this value has at most {most} characters (it has {most + 1})."
        assert (answer.status_code, answer.json()["errors"]) == (422, {name: [expected]})


def limits(schema: Mapping[str, Any], path: Field = ()) -> Iterator[tuple[Field, int]]:
    """The texts of a body with their limits, `[]` for the first row of a list."""
    schema = resolved(dict(schema))
    for name, one in schema.get("properties", {}).items():
        inner = resolved(dict(one))
        if "maxLength" in inner:
            yield (*path, name), inner["maxLength"]
        yield from limits(inner, (*path, name))
    if "properties" in resolved(dict(schema.get("items", {}))):
        yield from limits(schema["items"], (*path, "[]"))

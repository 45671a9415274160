"""Holds every answer of the suite against the description: status, form and fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

from erpbridge.rest.schema.openapi import describe

MOST_ROWS = 20
# Fields that are on rows as the caller sent them.
AS_SENT = {"RefusedRow", "RefusedClick"}


@cache
def addresses() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of described addresses; those with fewer variables first."""
    templates = sorted(describe()["paths"], key=lambda template: template.count("{"))
    return [
        (re.compile(re.sub(r"\{\w+\}", "[0-9a-f-]+", template)), template) for template in templates
    ]


@cache
def answer_of(template: str, method: str, status: str) -> dict[str, Any]:
    """What the description says of one answer."""
    answer = describe()["paths"][template][method]["responses"][status]
    if "$ref" in answer:
        return describe()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return answer


@cache
def schema_of(template: str, method: str, status: str, kind: str) -> dict[str, Any] | None:
    """The schema of the body of one answer of a media type; None: it has none."""
    answer = answer_of(template, method, status)
    if "content" not in answer:
        return None
    return answer["content"][kind]["schema"]


@cache
def validator(schema: bytes) -> jsonschema_rs.Validator:
    """Of a schema as JSON, which may refer to the components of the description."""
    whole = {**orjson.loads(schema), "components": describe()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def check(method: str, path: str, response: Any) -> None:
    """:raises AssertionError: where the answer is not one that is described."""
    bare = path.partition("?")[0].rstrip("/")
    template = next(
        (described for pattern, described in addresses() if pattern.fullmatch(bare)), None
    )
    if template is None:
        return
    operation = describe()["paths"][template].get(method.lower())
    status = str(response.status_code)
    if operation is None:
        refused = response.status_code >= 400 or method in ("HEAD", "OPTIONS")
        assert refused, f"{method} {template} is not described"
        return
    assert status in operation["responses"], f"{method} {template} answers {status}"
    # The answers of OAuth describe no headers.
    headers = answer_of(template, method.lower(), status).get("headers", {})
    assert ("ETag" in response) is ("ETag" in headers), f"{method} {template} {status}: ETag"
    if "Idempotency-Replayed" in response:
        assert "Idempotency-Replayed" in headers, f"{method} {template} {status} was replayed"
    schema = schema_of(template, method.lower(), status, response.get("Content-Type", ""))
    if schema is None:
        assert not response.content, f"{method} {template} {status} has a body"
        return
    value = orjson.loads(response.content)
    value = value[:MOST_ROWS] if isinstance(value, list) else value
    wrong = next(validator(orjson.dumps(schema)).iter_errors(value), None)
    assert wrong is None, f"{method} {template} {status}: {wrong.instance_path} {wrong.message}"
    unknown = sorted(set(_unknown(value, schema)))
    assert not unknown, f"{method} {template} {status}: not described: {', '.join(unknown)}"


def _unknown(value: Any, schema: Any) -> Iterator[str]:
    """Fields that hold something and that the schema does not name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in AS_SENT:
            yield from _unknown(value, describe()["components"]["schemas"][name])
    elif "anyOf" in schema:
        fitting = [
            option for option in schema["anyOf"] if validator(orjson.dumps(option)).is_valid(value)
        ]
        ways = [list(_unknown(value, option)) for option in fitting]
        yield from min(ways, key=len, default=[])
    elif isinstance(value, list):
        for element in value[:MOST_ROWS]:
            yield from _unknown(element, schema.get("items", {}))
    elif isinstance(value, dict) and "properties" in schema:
        for name, field in value.items():
            if name in schema["properties"]:
                yield from _unknown(field, schema["properties"][name])
            elif field is not None:
                yield name

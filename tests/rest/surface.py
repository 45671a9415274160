"""What the API promises, in lines that a reviewer can compare: ``interface.txt``.

``python -m tests.rest.surface`` writes it anew from the description, without its prose.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

KEPT = Path(__file__).with_name("interface.txt")
PLAIN = {"string": "text", "integer": "whole", "number": "number", "boolean": "flag"}
LIMITS = {"maxLength": "<=", "maxItems": "<=", "minItems": ">=", "minimum": ">="}
# What a schema may hold beside its limits.
DESCRIBED = {"description", "type", "default", "items", "properties", "required", "format"}
# Of every call, or of the address, which is shown.
OF_ALL = {"Procore-Company-Id", "company_id", "page", "per_page"}
FILTER = re.compile(r"filters\[(\w+)\]")


def lines() -> Iterator[str]:
    """Every call with its parameters, body and answers, then every object of an answer."""
    from erpbridge.rest.schema.openapi import describe

    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for path, calls in sorted(describe()["paths"].items()):
        for method, call in sorted(calls.items()):
            alike[tuple(_call(call))].append(f"{method.upper()} {path}")
    for call_lines, addresses in alike.items():
        yield from (*addresses, *call_lines, "")
    for name, schema in sorted(describe()["components"]["schemas"].items()):
        yield from (name, *_wrapped("has", _fields(schema)), "")


def _call(call: dict[str, Any]) -> Iterator[str]:
    given = [parameter for parameter in call.get("parameters", ()) if parameter["in"] != "path"]
    paged = any(parameter["name"] == "page" for parameter in given)
    if call.get("deprecated"):
        yield "  deprecated"
    yield from _wrapped(
        "asks", map(_asked, (parameter for parameter in given if parameter["name"] not in OF_ALL))
    )
    if "requestBody" in call:
        yield from _wrapped("body", [schema_text(_content(call["requestBody"]))])
    for status, answer in call["responses"].items():
        if status.startswith("2"):
            body = schema_text(_content(answer)) if "content" in answer else "no body"
            yield from _wrapped(status, [f"{body} paged" if paged else body])


def _wrapped(head: str, parts: Iterable[str]) -> list[str]:
    text = f"{head} {', '.join(parts)}"
    if text == f"{head} ":
        return []
    indents = {"initial_indent": "  ", "subsequent_indent": "      "}
    return wrap(text, 98, break_long_words=False, break_on_hyphens=False, **indents)


def _asked(parameter: dict[str, Any]) -> str:
    """The words that a list can be sorted by stand in the text only."""
    schema, name = parameter["schema"], FILTER.sub(r"[\1]", parameter["name"])
    default = f" = {schema['default']}" if "default" in schema else ""
    if name == "sort":
        return f"sort: {parameter['description'].rpartition(': ')[2].rstrip('.')}{default}"
    kind = schema_text(schema)
    return (
        f"{name}{'!' * parameter.get('required', False)}{f': {kind}' * (kind != 'text')}{default}"
    )


def _content(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part["content"]["application/json"]["schema"]
    return schema


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    """The fields of an object, with `!` after those that are required."""
    for name, field in schema.get("properties", {}).items():
        yield f"{name}{'!' * (name in schema.get('required', ()))}: {schema_text(field)}"


def schema_text(schema: dict[str, Any]) -> str:
    """A type in a few characters; `?` where it may be null."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(map(schema_text, schema["anyOf"]))
    if "enum" in schema:
        return " ".join(json.dumps(value) for value in schema["enum"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    text = " | ".join(_kind(kind, schema) for kind in kinds if kind != "null")
    return (text or ("null" if kinds else "anything")) + "?" * ("null" in kinds and bool(text))


def _kind(kind: str, schema: dict[str, Any]) -> str:
    if kind == "array":
        return f"[{schema_text(schema['items'])}]{_limits(schema)}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"{{any: {schema_text(inner)}}}" if inner else f"{{{', '.join(_fields(schema))}}}"
    return schema.get("format", PLAIN[kind]) + _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    unknown = set(schema) - {*LIMITS, *DESCRIBED}
    assert not unknown, f"tell {__name__} how to show {unknown}"
    return "".join(f" {sign} {schema[name]}" for name, sign in LIMITS.items() if name in schema)


if __name__ == "__main__":
    import django

    django.setup()
    KEPT.write_text("\n".join(lines()))

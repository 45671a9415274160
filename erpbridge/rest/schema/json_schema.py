"""JSON Schema (as in OpenAPI 3.1) of Python types; each ``TypedDict`` becomes a component."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import (
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from erpbridge.rest.schema.operations import Schema

PLAIN: dict[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
    object: {},
}


def schema_of(kind: object, registry: ComponentRegistry) -> Schema:
    """Return the schema of a type; components it refers to are added to ``registry``.

    :raises TypeError: for a type without a schema.
    """
    if kind in PLAIN:
        return dict(PLAIN[kind])
    if isinstance(kind, type) and is_typeddict(kind):
        return _component(kind, registry)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin not in BUILT:
        raise TypeError(f"{kind!r} has no schema")
    return BUILT[origin]([schema_of(argument, registry) for argument in inner])


def _component(kind: type, registry: ComponentRegistry) -> Schema:
    component = ResolvedComponent(  # type: ignore[no-untyped-call]
        name=kind.__name__, type=ResolvedComponent.SCHEMA, object=kind
    )
    if component not in registry:
        # Registered before its properties, so that recursive types end.
        registry.register(component)
        hints = get_type_hints(kind, include_extras=True)
        # With postponed annotations a TypedDict does not know its own NotRequired keys.
        optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
        component.schema = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": {name: schema_of(hint, registry) for name, hint in hints.items()},
            "required": sorted(set(hints) - optional),
        }
    return dict(registry[component].ref)


def _array(inner: list[Schema]) -> Schema:
    return {"type": "array", "items": inner[0]}


def _mapping(inner: list[Schema]) -> Schema:
    return {"type": "object", "additionalProperties": inner[1]}


def _any_of(schemas: list[Schema]) -> Schema:
    """Return ``anyOf``, or a list of types for one type and null, which more tools understand."""
    plain = [schema for schema in schemas if set(schema) <= {"type", "format"} and schema]
    null = {"type": "null"}
    if len(schemas) == 2 and len(plain) == 2 and null in schemas:
        only = next(schema for schema in schemas if schema != null)
        return only | {"type": [only["type"], "null"]}
    return {"anyOf": schemas}


BUILT: dict[object, Callable[[list[Schema]], Schema]] = {
    list: _array,
    Sequence: _array,
    dict: _mapping,
    Mapping: _mapping,
    NotRequired: lambda inner: inner[0],
    Union: _any_of,
    types.UnionType: _any_of,
}

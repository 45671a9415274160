"""Decorators that declare what a handler takes and returns, for the OpenAPI description.

    @answers(Page)
    def get(self, request, **path): ...

    @takes(READERS, wrapped="vendor", required=["name"])
    @answers(One, 201)
    def post(self, request, **path): ...

``rest/schema/openapi.py`` builds OpenAPI from them. Types are ``TypedDict``s, lists and unions of
them; the three marker classes below stand for what the view shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

Schema = dict[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., object])


class One:
    """Marker: one record, in the requested ``view``."""


class Page:
    """Marker: a page of records, with paging headers."""


class Synced:
    """Marker: the records that a sync saved, and the rows it rejected."""


class HasSchema(Protocol):
    """A reader with the JSON Schema (2020-12) of its input."""

    @property
    def schema(self) -> Mapping[str, object]:
        """The schema of the value alone."""


@dataclass(frozen=True)
class Query:
    """A query parameter that is neither a filter nor a paging parameter."""

    name: str
    schema: Schema
    text: str
    required: bool = False


@dataclass
class Declared:
    """What the decorators declared for a handler."""

    body: Schema | None = None
    # Status and type of each success response; None: no body.
    answers: dict[int, object] = field(default_factory=dict)
    # Statuses whose body equals that of a GET of the record, so that they carry its ETag.
    tagged: set[int] = field(default_factory=set)
    deprecated: bool = False


def declared_by(handler: Callable[..., object]) -> Declared:
    """Return what the decorators declared; empty for an undecorated handler."""
    declared: Declared = handler.__dict__.setdefault("declared", Declared())
    return declared


def answers(
    kind: object, status: int = 200, *, tagged: bool = False
) -> Callable[[Handler], Handler]:
    """Declare a success response; use it once per status.

    :param tagged: whether the response has the record's ETag, as ``One`` always does.
    """

    def decorate(handler: Handler) -> Handler:
        declared = declared_by(handler)
        declared.answers[status] = kind
        if tagged or kind is One:
            declared.tagged.add(status)
        return handler

    return decorate


def takes(
    readers: Mapping[str, HasSchema] | Schema,
    *,
    wrapped: str = "",
    required: Sequence[str] = (),
) -> Callable[[Handler], Handler]:
    """Declare the body, by its readers or as a schema.

    ``wrapped`` is the name of the object that has the fields.
    """

    def decorate(handler: Handler) -> Handler:
        schema = body_of(readers, required)
        declared_by(handler).body = an_object({wrapped: schema}, [wrapped]) if wrapped else schema
        return handler

    return decorate


def takes_rows(
    readers: Mapping[str, HasSchema], *, most: int, name: str = "updates"
) -> Callable[[Handler], Handler]:
    """Declare a body with a list of rows under ``name``, each with an ``id`` to find its record."""

    def decorate(handler: Handler) -> Handler:
        row = body_of(readers, ())
        row["properties"] = {"id": {"type": ["integer", "null"]}} | row["properties"]
        rows = {"type": "array", "items": row, "maxItems": most}
        declared_by(handler).body = an_object({name: rows}, [name])
        return handler

    return decorate


def body_of(readers: Mapping[str, Any], required: Sequence[str]) -> Schema:
    """Return the schema of the fields of ``readers``, or ``readers`` itself if it is a schema."""
    if "type" in readers and isinstance(readers["type"], str):
        return dict(readers)
    return an_object(
        {name: dict(field_reader.schema) for name, field_reader in readers.items()}, required
    )


def an_object(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """Return an object schema; unknown fields are allowed, since they are ignored."""
    schema: Schema = {"type": "object", "properties": dict(properties)}
    return schema | {"required": list(required)} if required else schema

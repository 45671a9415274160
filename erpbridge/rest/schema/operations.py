"""What a handler says of itself for the description: what it takes, and what it answers.

    @answers(Page)
    def get(self, request, **path): ...

    @takes(READERS, wrapped="vendor", required=["name"])
    @answers(One, 201)
    def post(self, request, **path): ...

``rest/schema/openapi.py`` turns it into OpenAPI. Types are ``TypedDict``s, lists and unions of
them; the three marks below stand for what the view shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

Schema = dict[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Any])


class One:
    """One record of the view, in the view that was asked for."""


class Page:
    """A page of records, and the headers that lead to the others."""


class Synced:
    """The records that a sync stored, and the rows that it refused."""


class HasSchema(Protocol):
    """A reader of a value: JSON Schema (2020-12) of what it takes."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """Of the value alone."""


@dataclass(frozen=True)
class Query:
    """A parameter of the query string that is neither a filter nor of the paging."""

    name: str
    schema: Schema
    text: str
    required: bool = False


@dataclass
class Told:
    """What is known of a handler."""

    body: Schema | None = None
    # Status and type of each good answer; None: no body.
    answers: dict[int, Any] = field(default_factory=dict)
    # The statuses that show a record as a GET of it does, so that they carry its ETag.
    tagged: set[int] = field(default_factory=set)
    deprecated: bool = False


def told_of(handler: Callable[..., Any]) -> Told:
    """What the decorators noted; empty for a handler that says nothing."""
    found: Told = handler.__dict__.setdefault("told", Told())
    return found


def answers(kind: Any, status: int = 200, *, tagged: bool = False) -> Callable[[Handler], Handler]:
    """A good answer; given several times, each status has its own.

    :param tagged: it carries the record's ETag, as ``One`` always does.
    """

    def decorate(handler: Handler) -> Handler:
        told = told_of(handler)
        told.answers[status] = kind
        if tagged or kind is One:
            told.tagged.add(status)
        return handler

    return decorate


def takes(
    readers: Mapping[str, HasSchema] | Schema,
    *,
    wrapped: str = "",
    required: Sequence[str] = (),
) -> Callable[[Handler], Handler]:
    """The body, of the readers that read it or as a schema.

    ``wrapped`` names the object that carries the fields.
    """

    def decorate(handler: Handler) -> Handler:
        schema = body_of(readers, required)
        told_of(handler).body = an_object({wrapped: schema}, [wrapped]) if wrapped else schema
        return handler

    return decorate


def takes_rows(
    readers: Mapping[str, HasSchema], *, most: int, name: str = "updates"
) -> Callable[[Handler], Handler]:
    """A body that holds rows under ``name``, each of them with what finds its record."""

    def decorate(handler: Handler) -> Handler:
        row = body_of(readers, ())
        row["properties"] = {"id": {"type": ["integer", "null"]}} | row["properties"]
        rows = {"type": "array", "items": row, "maxItems": most}
        told_of(handler).body = an_object({name: rows}, [name])
        return handler

    return decorate


def body_of(readers: Mapping[str, Any], required: Sequence[str]) -> Schema:
    """The schema of fields that are read by ``readers``, or ``readers`` itself if it is one."""
    if "type" in readers and isinstance(readers["type"], str):
        return dict(readers)
    return an_object({name: dict(one.schema) for name, one in readers.items()}, required)


def an_object(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """An object; fields that it does not know are ignored."""
    found: Schema = {"type": "object", "properties": dict(properties)}
    return found | {"required": list(required)} if required else found

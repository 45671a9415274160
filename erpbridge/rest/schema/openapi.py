"""The OpenAPI 3.1 description of the API, generated from its routes and handlers.

drf-spectacular walks the routes and collects components. The operations come from
:mod:`erpbridge.rest.schema.operations`, listings, readers and docstrings, so that there is no
second list to maintain.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from http import HTTPStatus
from operator import or_
from typing import Any, NotRequired, TypedDict

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from rest_framework.request import Request

from erpbridge.rest.pagination import PER_PAGE, Listing
from erpbridge.rest.requests.scope import HEADER
from erpbridge.rest.schema.json_schema import schema_of
from erpbridge.rest.schema.operations import Declared, One, Page, Schema, Synced, declared_by
from erpbridge.rest.views import Resource, ScopedView

CONVERTED: dict[str, Schema] = {
    "int": {"type": "integer", "minimum": 0},
    "uuid": {"type": "string", "format": "uuid"},
}
WRITES = ("POST", "PATCH", "PUT", "DELETE")
# Methods that accept an idempotency key.
KEYED = ("POST", "PATCH")
VERBS = {"GET": "show", "PATCH": "update", "PUT": "replace", "DELETE": "delete", "POST": "create"}
REASONS = {
    200: "Done.",
    201: "Created.",
    202: "Started; a background job does it.",
    204: "Done; the body is empty.",
    207: "Each row has its own result.",
    304: "Not changed since the ETag that was sent.",
    400: "The request is malformed.",
    401: "The access token is missing, unknown or has expired.",
    403: "The caller may not do this, or the application is not connected to the company.",
    404: "Not found, or not visible to the caller.",
    409: "In conflict with its current state.",
    412: "Changed since it was read.",
    413: "Too large.",
    415: "Neither JSON nor a form.",
    422: "Understood, but refused by a rule; `errors` names each field.",
    429: "Too many calls; `Retry-After` says when to try again.",
    503: "The database is busy, or has no room; nothing was done. `Retry-After` says when to "
    "try again.",
}
ALWAYS = (400, 401, 403, 404, 429, 503)
OF_READS, OF_WRITES = (304,), (409, 412, 413, 415, 422)
HEADERS = {
    "X-Request-Id": (
        "string",
        "Identifies the call in the log; an ID that the client sends is kept.",
    ),
    "X-Rate-Limit-Limit": ("integer", "Limit of calls in the window that ends next."),
    "X-Rate-Limit-Remaining": ("integer", "Calls left in that window."),
    "X-Rate-Limit-Reset": ("integer", "When that window ends, in seconds since 1970."),
}
OF_TAGGED = {
    "ETag": ("string", "Version of what is returned; for `If-Match` and `If-None-Match`."),
}
# Headers of responses to POST and PATCH, including errors.
OF_REPLAYED = {
    "Idempotency-Replayed": (
        "string",
        "`true`: this is the stored answer to the first call with the same key.",
    ),
}
REMEMBERED = (400, 403, 404, 409, 412, 413, 415, 422)
OF_PAGE = {
    "Total": ("integer", "Records on all pages."),
    "Per-Page": ("integer", "Records on a page."),
    "Link": ("string", "The first, previous, next and last page (RFC 8288)."),
}


INTRODUCTION = """\
Companies, cost codes and their export to accounting. Resources follow Procore's REST API;
the clicks (`erp_queue`, `send_to_erp`, ...) are erpbridge's own.

* Authorize with OAuth 2: `POST /oauth/token` with the id and the secret of a service account.
* Name the company in the path, in the header `Procore-Company-Id` or as `company_id`.
* Lists are arrays, with `Total`, `Per-Page` and `Link` as headers.
* Bodies are JSON; forms with brackets (`vendor[name]=x`) are taken too. Unknown fields are ignored.
* Times are UTC and end in `Z`; ids are whole numbers.
* Every error is JSON with `errors`, `message` and `code`.
"""


class Error(TypedDict):
    """The body of every error response."""

    errors: str | list[str] | dict[str, list[str]]
    message: str
    code: int


class Problem(Error):
    """An error response for ``Accept: application/problem+json`` (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


class RefusedRow(TypedDict):
    """A row as it was sent, with its errors."""

    id: NotRequired[object]
    errors: dict[str, list[str]]


class Generator(SchemaGenerator):
    """Walks the routes and adds the general parts of the document."""

    def get_schema(self, request: Request | None = None, public: bool = True) -> Schema:
        """Return the whole document."""
        document: Schema = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        document["info"]["description"] = INTRODUCTION
        operations = [
            operation for path in document["paths"].values() for operation in path.values()
        ]
        areas = sorted({area for operation in operations for area in operation["tags"]})
        document["tags"] = [{"name": area} for area in areas]
        document["servers"] = [{"url": "/"}]
        return document


@cache
def describe() -> Schema:
    """Return the OpenAPI document, built once per process."""
    document: Schema = Generator().get_schema()  # type: ignore[no-untyped-call]
    return document


class Described(AutoSchema):
    """One operation: a handler of a view at one path."""

    # A Resource if a handler answers One, Page or Synced.
    view: Any

    def get_operation(
        self,
        path: str,
        path_regex: str,
        path_prefix: str,
        method: str,
        registry: ComponentRegistry,
    ) -> Schema:
        """Return the operation object.

        :raises LookupError: for a handler without ``@answers``.
        """
        self.path, self.path_regex = path, path_regex
        self.method, self.registry = method, registry
        handler = getattr(self.view, method.lower())
        declared = declared_by(handler.__func__)
        if not declared.answers:
            raise LookupError(f"{handler.__qualname__} has no @answers")
        operation: Schema = {
            "operationId": self._operation_id(declared),
            "summary": self._summary(handler),
            "description": _prose(inspect.getdoc(type(self.view))),
            "tags": [_area(type(self.view))],
            "parameters": list(self._all_parameters(declared)),
            "responses": self._responses(declared),
            "security": [{"oauth2": []}],
        }
        if declared.deprecated:
            operation["deprecated"] = True
        body = declared.body or (self.view.body if method in WRITES else None)
        if body is not None:
            content = {"application/json": {"schema": body}}
            operation["requestBody"] = {"content": content, "required": True}
        return operation

    def _operation_id(self, declared: Declared) -> str:
        """Return the verb and the words of the path, and the version unless it is v1.0."""
        _rest, version, *parts = self.path.strip("/").split("/")
        words = [part for part in parts if not part.startswith("{")]
        verb = VERBS[self.method]
        if Page in declared.answers.values():
            verb = "list"
        elif "actions" in words:
            # .../{id}/actions/send becomes send_..., .../actions/send becomes send_..._many.
            verb = words.pop()
            words[-1] = "" if parts[-3].startswith("{") else "many"
        name = "_".join([verb, *filter(None, words)])
        return name if version == "v1.0" else f"{name}_{version.replace('.', '_')}"

    def _summary(self, handler: object) -> str:
        first, *_rest = _prose(inspect.getdoc(type(self.view))).split("\n")
        does, *_rest = _prose(inspect.getdoc(handler)).split("\n")
        return f"{first.rstrip('.')}: {does[:1].lower()}{does[1:].rstrip('.')}"

    def _all_parameters(self, declared: Declared) -> Iterator[Schema]:
        for kind, variable in re.findall(r"<(\w+):(\w+)>", self.path_regex):
            name = "id" if variable == "pk" else variable
            yield _parameter(name, CONVERTED[kind], "", location="path", required=True)
        if isinstance(self.view, ScopedView):
            yield from self._of_scope()
        if isinstance(self.view, Resource) and {One, Page, Synced} & set(declared.answers.values()):
            yield from self._of_views()
        if Page in declared.answers.values():
            yield from _of_listing(self.view.listing)
        for query in self.view.asks:
            yield _parameter(query.name, query.schema, query.text, required=query.required)
        yield from self._of_conditions()
        if self.method in KEYED:
            text = "A key of your choice: a call with the same key is answered, but not repeated."
            yield _parameter("Idempotency-Key", {"type": "string"}, text, location="header")

    def _of_conditions(self) -> Iterator[Schema]:
        text, variables = "", re.findall(r"<\w+:(\w+)>", self.path_regex)
        if self.method == "GET":
            name, text = "If-None-Match", "The ETag of your copy: 304 if it is still current."
        elif self.view.compares(variables):
            name = "If-Match"
            text = "The ETag that you read: 412 if it was changed since, and nothing is done."
        if text:
            yield _parameter(name, {"type": "string"}, text, location="header")

    def _of_scope(self) -> Iterator[Schema]:
        if "{company_id}" not in self.path:
            text = "The company; where no header, path, query or body names it, a project does."
            yield _parameter(HEADER, {"type": "integer"}, text, location="header")
            yield _parameter("company_id", {"type": "integer"}, text)
        if self.view.of_project and "{project_id}" not in self.path:
            yield _parameter("project_id", {"type": "integer"}, "The project.")

    def _of_views(self) -> Iterator[Schema]:
        names = [name for name in self.view.row_types if name]
        if names:
            schema: Schema = {"enum": names}
            if self.view.default_view:
                schema["default"] = self.view.default_view
            yield _parameter("view", schema, "Level of detail.")

    def _responses(self, declared: Declared) -> Schema:
        responses = {
            str(status): self._good(status, kind, tagged=self._tagged(status, declared))
            for status, kind in declared.answers.items()
        }
        for code in [*ALWAYS, *(OF_WRITES if self.method in WRITES else OF_READS)]:
            responses.setdefault(str(code), self._bad(code))
        return dict(sorted(responses.items()))

    def _tagged(self, status: int, declared: Declared) -> bool:
        """Whether the response has an ETag, see ``RestView``."""
        if self.method == "GET":
            return status == HTTPStatus.OK
        return self.method != "DELETE" and status in declared.tagged

    def _bad(self, code: int) -> Schema:
        """Return the response component that all operations share for this status."""
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name=HTTPStatus(code).name.title().replace("_", ""),
            type=ResolvedComponent.RESPONSE,
            object=code,
        )
        if component not in self.registry:
            self.registry.register(component)
            extra = OF_TAGGED if code == HTTPStatus.NOT_MODIFIED else {}
            extra = extra | (OF_REPLAYED if code in REMEMBERED else {})
            response: Schema = {"description": REASONS[code], "headers": _headers(HEADERS | extra)}
            if code >= 400:
                response["content"] = {
                    f"application/{kind}": {"schema": schema_of(error, self.registry)}
                    for kind, error in (("json", Error), ("problem+json", Problem))
                }
            component.schema = response
        return dict(self.registry[component].ref)

    def _good(self, status: int, kind: object, *, tagged: bool) -> Schema:
        extra = (OF_PAGE if kind is Page else {}) | (OF_TAGGED if tagged else {})
        extra = extra | (OF_REPLAYED if self.method in KEYED else {})
        response: Schema = {"description": REASONS[status], "headers": _headers(HEADERS | extra)}
        if kind is not None:
            response["content"] = {"application/json": {"schema": self._schema(kind)}}
        return response

    def _schema(self, kind: object) -> Schema:
        if kind is One:
            return self._shown()
        if kind is Page:
            return {"type": "array", "items": self._shown()}
        if kind is Synced:
            rows = {"type": "array", "items": schema_of(RefusedRow, self.registry)}
            properties = {"entities": {"type": "array", "items": self._shown()}, "errors": rows}
            required = ["entities", "errors"]
            return {"type": "object", "properties": properties, "required": required}
        return schema_of(kind, self.registry)

    def _shown(self) -> Schema:
        """Return the union of the views; the default one first, as some tools use only that."""
        views = dict(self.view.row_types)
        first = views.pop(self.view.default_view)
        return schema_of(reduce(or_, dict.fromkeys([first, *views.values()])), self.registry)


def _of_listing(listing: Listing) -> Iterator[Schema]:
    if listing.paged:
        page: Schema = {"type": "integer", "minimum": 1}
        yield _parameter("page", page | {"default": 1}, "The page.")
        yield _parameter("per_page", page | {"default": PER_PAGE}, "Records on a page.")
    sort_keys = ", ".join(listing.sorts)
    yield _parameter(
        "sort",
        {"type": "string", "default": listing.default_sort},
        f"One or more, separated by commas, `-` for descending: {sort_keys}.",
    )
    for name, list_filter in listing.filters.items():
        yield _parameter(f"filters[{name}]", {"type": "string"}, list_filter.takes)


def _parameter(
    name: str, schema: Schema, text: str, *, location: str = "query", required: bool = False
) -> Schema:
    parameter: Schema = {"name": name, "in": location, "schema": schema}
    if text:
        parameter["description"] = text
    return parameter | {"required": True} if required else parameter


def _headers(headers: Mapping[str, tuple[str, str]]) -> Schema:
    return {
        name: {"schema": {"type": kind}, "description": text}
        for name, (kind, text) in headers.items()
    }


def _prose(docstring: str | None) -> str:
    """Return a docstring for readers without the code: no ``:raises`` and no references."""
    text = (docstring or "").split(":raises")[0]
    text = re.sub(r"\s*(?:\(docs/design/[^)]*\)|See docs/design/.*)", "", text)
    return re.sub(r"(:\w+:)?``?([^`]+)``?", r"`\2`", text).strip()


def _area(view: type) -> str:
    """Return the resource that the view belongs to, from the name of its module."""
    return view.__module__.rpartition(".")[2].replace("_", " ").capitalize()

"""Base classes of all API views: authentication, scope, rate limits, idempotency and JSON.

Handlers return a :class:`~erpbridge.rest.responses.JsonAnswer` or raise what
:mod:`erpbridge.rest.errors` can answer.

A writing call is one transaction: on any error, nothing of it is saved. In that transaction rows
are locked before ``If-Match`` is compared, the account's row first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from erpbridge.access.models import Account, Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import require
from erpbridge.db import busy
from erpbridge.db.numbers import LARGEST_ID
from erpbridge.rest import idempotency, throttles
from erpbridge.rest.authentication import CHALLENGE, INVALID_TOKEN, application_of
from erpbridge.rest.errors import ApiError, Malformed, answer_to
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.parsers import Form, Json, Multipart
from erpbridge.rest.responses import JsonAnswer, error_answer, etag
from erpbridge.rest.schema.operations import (
    Declared,
    One,
    Page,
    Query,
    Schema,
    Synced,
    answers,
    declared_by,
)
from erpbridge.rest.throttles import Window

logger = logging.getLogger(__name__)
TOO_MANY = (
    "You have surpassed the max number of requests for this period. "
    "Please wait until your limit resets."
)
OURS = "Something went wrong here. The X-Request-Id names it in our log."
CHANGED = "It was changed since you read it. Read it again."
WITHOUT_ETAG = (
    "If-Match cannot be compared here: this address shows no record that could have an ETag. "
    "Send the call without If-Match."
)
Handler = Callable[..., HttpResponse]
Value = TypeVar("Value")
Row = TypeVar("Row", bound=Model)


class OnlyJson(BaseContentNegotiation):
    """Responses are JSON whatever ``Accept`` says, since clients send all kinds of values."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the body's media type."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        # None makes REST framework answer 415.
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer. It is never used: views build the response bodies."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class RestView(APIView):
    """A view for authenticated API clients, not limited to a company."""

    permission_classes = [IsAuthenticated]
    parser_classes = [Json, Form, Multipart]
    content_negotiation_class = OnlyJson
    # Query parameters that the view reads itself, for the OpenAPI description.
    asks: Sequence[Query] = ()
    # Body schema of views that share a writing handler; others use ``@takes``.
    body: Schema | None = None
    # Types that ``One`` and ``Page`` stand for, by the value of ``view=``.
    row_types: Mapping[str, object] = {}
    default_view = ""
    meter: Window | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Authenticate, find the scope, count the call, and run it once per idempotency key."""
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        response = self._guarded(self._respond)
        if self.meter is not None:
            for name, value in self.meter.headers().items():
                response[name] = value
        return self.finalize_response(self.request, response, *args, **kwargs)  # type: ignore[arg-type]

    def _respond(self) -> HttpResponse:
        request = self.request
        # An id beyond 64 bits does not exist; a database query would fail on it.
        if any(isinstance(value, int) and value > LARGEST_ID for value in self.kwargs.values()):
            raise Http404
        key = idempotency.key_of(request)
        if key:
            # Before the parsers read the stream, after which the body is gone.
            idempotency.keep_body(request)
        self.initial(request, *self.args, **self.kwargs)
        handler = self._handler()
        if request.method not in scope.WRITES:
            return self._conditional(handler(request, **self.kwargs))
        if key:
            return idempotency.once(request, key, lambda keep: self._kept(handler, keep))
        self.prepare()
        return self._write(handler)

    def _handler(self) -> Handler:
        name = (self.request.method or "").lower()
        handler: Handler | None = (
            getattr(self, name, None) if name in self.http_method_names else None
        )
        if handler is None:
            raise MethodNotAllowed(self.request.method or "")
        return handler

    def _kept(self, handler: Handler, keep: Callable[[HttpResponse], None]) -> HttpResponse:
        """Run a writing call and store its response in the transaction of its effect."""
        # An error of prepare() is stored as well, so that a repeated call gets the same response.
        refusal = self._guarded(self.prepare)
        if refusal is None and self.lasts_long():
            response = self._guarded(lambda: self._write(handler))
            keep(response)
            return response

        @busy.retried
        def run_and_store() -> HttpResponse:
            with transaction.atomic():
                response = (
                    self._guarded(lambda: self._write(handler)) if refusal is None else refusal
                )
                keep(response)
            return response

        return self._guarded(run_and_store)

    def _write(self, handler: Handler) -> HttpResponse:
        """Run the handler; on any error its changes are rolled back."""
        if self.lasts_long():
            self._compare()
            return handler(self.request, **self.kwargs)
        return self._written(handler)

    @busy.retried
    def _written(self, handler: Handler) -> HttpResponse:
        with transaction.atomic():
            # The locks first, so that what is compared cannot change before it is written.
            self.hold()
            self._compare()
            response = handler(self.request, **self.kwargs)
            if response.status_code >= 400:
                # A handler may return an error instead of raising one.
                transaction.set_rollback(True)
            elif self._shows_record(response):
                response["ETag"] = self.tag(response)
        return response

    def _shows_record(self, response: HttpResponse) -> bool:
        """Whether the response is a record's current state; a DELETE shows the former one."""
        return (
            self.request.method != "DELETE"
            and response.status_code in self._handler_declared().tagged
        )

    def _handler_declared(self) -> Declared:
        """Return what the decorators of the called handler declared."""
        return declared_by(getattr(type(self), (self.request.method or "").lower()))

    def prepare(self) -> None:
        """Run before the transaction of a writing call; must not write.

        For validating query parameters, and for requests to others, such as the ERP, during which
        no row may stay locked.
        """

    def lasts_long(self) -> bool:
        """Whether one transaction for all rows of the call would block other writers too long.

        The call then runs in several transactions, with each row in one of them.
        """
        return False

    def hold(self) -> None:
        """Lock the rows that the call writes, in the same order as every other writer of them."""

    def compares(self, variables: Collection[str]) -> bool:
        """Whether ``If-Match`` can be compared at a path with these variables.

        For the OpenAPI description; see :meth:`current`.
        """
        return hasattr(self, "get")

    def current(self) -> HttpResponse | None:
        """Return what ``If-Match`` is compared with: the response to a GET of the same path."""
        read: Handler | None = getattr(self, "get", None)
        return read(self.request, **self.kwargs) if read else None

    def tag(self, response: HttpResponse) -> str:
        """Return the ETag of a record after a write, equal to that of a GET."""
        return etag(response.content)

    @property
    def if_match(self) -> set[str]:
        """ETags of which the record must have one; empty if any state is accepted."""
        # "*" asks for a record in any state, which the handler checks itself by its 404.
        header = self.request.headers.get("If-Match", "").strip()
        return set() if header in ("", "*") else _tags(header)

    def _compare(self) -> None:
        """Compare ``If-Match`` with the current state.

        :raises ApiError: 412 when the caller has seen another state.
        """
        if not self.if_match:
            return
        current = self.current()
        if current is None:
            raise ApiError(412, WITHOUT_ETAG)
        if etag(current.content) not in self.if_match:
            raise ApiError(412, CHANGED)

    def _guarded(self, do: Callable[[], Value]) -> Value | HttpResponse:
        """Turn every exception into a response; unexpected ones are logged as errors."""
        request = self.request._request
        try:
            return do()
        except NotAuthenticated:
            challenge = error_answer(request, 401, INVALID_TOKEN)
            challenge["WWW-Authenticate"] = CHALLENGE
            return challenge
        except Exception as error:
            if busy.in_transaction() and busy.is_conflict(error):
                # The caller that opened the transaction retries it.
                raise
            response = answer_to(request, error)
            if response is not None:
                return response
            logger.exception("API call failed: %s %s", request.method, request.path)
            return error_answer(request, 500, OURS)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, find the scope and count the call.

        :raises ApiError: 429 when the rate limit is exceeded.
        """
        super().initial(request, *args, **kwargs)
        account = 0
        try:
            account = self.enter(request)
        finally:
            # Also counted if the scope is not found, so that probing for ids is limited too.
            self.meter = throttles.count(application_of(request).pk, account)
        if self.meter.exceeded:
            raise ApiError(429, TOO_MANY)

    def enter(self, request: Request) -> int:
        """Find the scope of the call. Return the account's id, 0 for none."""
        return 0

    def _conditional(self, response: HttpResponse) -> HttpResponse:
        """Set ``ETag`` on a read response, and return 304 if the caller has that state."""
        if self.request.method not in ("GET", "HEAD") or response.status_code != 200:
            return response
        tag = etag(response.content)
        response["ETag"] = tag
        # Kept by the client, but compared by its ETag each time.
        response["Cache-Control"] = "private, no-cache"
        header = self.request.headers.get("If-None-Match", "")
        if tag in _tags(header) or header.strip() == "*":
            response.status_code = 304
            response.content = b""
        return response


def _tags(header: str) -> set[str]:
    # A proxy that compresses responses makes their ETags weak.
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


class ScopedView(RestView):
    """A view of one company or, with ``of_project``, of one project.

    ``reads`` is the policy rule that every call needs; handlers check further rules with
    :meth:`require`.
    """

    of_project = False
    reads: Permission | None = None
    access: Access

    def enter(self, request: Request) -> int:
        """Load the caller's rights in the scope of the call."""
        self.access = scope.access_to(request, self.kwargs, of_project=self.of_project)
        if self.reads:
            self.require(self.reads)
        return self.access.account.pk

    @property
    def project(self) -> Project:
        """The project of the call.

        :raises Http404: when it names none.
        """
        if self.access.project is None:
            raise Http404
        return self.access.project

    def require(self, action: Permission, entity: str = "") -> None:
        """Check a policy rule.

        :raises PermissionDenied: 403 with the reason, unless the policy allows it.
        """
        require(self.access, action, entity)

    def wrapped(self, name: str) -> Mapping[str, object]:
        """Return the object that a writing call has under ``name``.

        :raises Malformed: when it is missing or not an object.
        """
        value = scope.body_of(self.request).get(name)
        if not isinstance(value, Mapping):
            raise Malformed({name: ["is missing" if value is None else "must be an object"]})
        return value


class Resource(ScopedView, Generic[Row]):
    """A list, or one record of it, in one of several shapes.

    ``shapes`` maps the values of ``view=`` to what they show; unknown values are rejected.
    """

    listing = Listing()

    def prepare(self) -> None:
        """Reject an unknown ``view`` before anything is written."""
        super().prepare()
        if {One, Page, Synced} & set(self._handler_declared().answers.values()):
            self.shape()

    def hold(self) -> None:
        """Lock the account's row, so that only one caller at a time looks up and saves records.

        With ``If-Match`` also the rows of :meth:`holds`. The lock is without KEY, so that rows that
        refer to the account can be inserted meanwhile.
        """
        super().hold()
        rows = [Account.objects.filter(pk=self.access.account.pk)]
        for locked_rows in (*rows, *(self.holds() if self.if_match else ())):
            list(locked_rows.select_for_update(no_key=True).values_list("pk"))

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Return the rows whose state ``If-Match`` is about, in lock order."""
        if "pk" in self.kwargs:
            row = self.record(self.kwargs["pk"])
            yield type(row)._base_manager.filter(pk=row.pk)

    def compares(self, variables: Collection[str]) -> bool:
        """Whether the path names a record to compare with."""
        return "pk" in variables or super().compares(variables)

    def current(self) -> HttpResponse | None:
        """Return the record of the path, in the requested view."""
        if "pk" in self.kwargs:
            return self.show(self.record(self.kwargs["pk"]).pk)
        return super().current()

    def visible(self) -> QuerySet[Row]:
        """Return the rows that the caller can see here; every query starts from it."""
        raise NotImplementedError

    def shapes(self) -> Mapping[str, Shape]:
        """Return the available shapes by the value of ``view=``."""
        raise NotImplementedError

    def shape(self) -> Shape:
        """Return the requested shape.

        :raises Malformed: for an unknown value of ``view``.
        """
        query = self.request.query_params
        view_name = query.get("view") or query.get("serializer_view") or self.default_view
        shapes = self.shapes()
        if view_name not in shapes:
            valid = ", ".join(name for name in shapes if name)
            raise Malformed({"view": [f"“{view_name[:50]}” is not one of: {valid}"]})
        return shapes[view_name]

    def page(self) -> JsonAnswer:
        """Return the requested page."""
        return self.listing.page(self.request, self.visible(), self.shape())

    def record(self, pk: int) -> Row:
        """Return one visible row.

        :raises Http404: when there is none with this id.
        """
        row = self.visible().filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def show(self, pk: int, status: int = 200) -> JsonAnswer:
        """Return one record.

        :raises Http404: when it no longer exists.
        """
        objects = self.shape()([pk])
        if pk not in objects:
            raise Http404
        return JsonAnswer(objects[pk], status)


class Listed(Resource[Row]):
    """Resources whose GET returns a page."""

    @answers(Page)
    def get(self, request: Request, **path: object) -> JsonAnswer:
        """List them."""
        return self.page()


class Shown(Resource[Row]):
    """Resources whose GET returns one record."""

    @answers(One)
    def get(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Show it."""
        return self.show(self.record(pk).pk)

"""The base of every API view: who calls, for which company, how often, once, and as JSON.

A view's handlers return a :class:`~erpbridge.rest.responses.JsonAnswer`, and raise what
:mod:`erpbridge.rest.errors` knows how to answer.

A writing call is one transaction: what it refuses, and what it cannot answer, did not happen. In
that transaction the rows are locked before ``If-Match`` is compared, the account's row first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from erpbridge.access.models import Account, Project
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
    One,
    Page,
    Query,
    Schema,
    Synced,
    Told,
    answers,
    told_of,
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


class OnlyJson(BaseContentNegotiation):
    """Answers are JSON whatever ``Accept`` says; clients send all kinds of it."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The parser of the body's media type."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """The first, which is never used: answers are rendered when they are made."""
        return renderers[0], renderers[0].media_type


class RestView(APIView):
    """A view for the bearer of a token, of no company yet."""

    permission_classes = [IsAuthenticated]
    parser_classes = [Json, Form, Multipart]
    content_negotiation_class = OnlyJson
    # Parameters of the query that the view reads itself, for the description.
    asks: Sequence[Query] = ()
    # What the writing handler takes, where views share one; else its own ``@takes``.
    body: Schema | None = None
    # The types of what ``One`` and ``Page`` stand for, by the words of ``view=``.
    shown: Mapping[str, Any] = {}
    default_view = ""
    meter: Window | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Authenticate, find the scope, count, and answer once per idempotency key."""
        self.args, self.kwargs = args, kwargs
        self.headers = self.default_response_headers
        self.request = self.initialize_request(request, *args, **kwargs)
        answer = self._guarded(self._answer)
        if self.meter is not None:
            for name, value in self.meter.headers().items():
                answer[name] = value
        return self.finalize_response(self.request, answer, *args, **kwargs)  # type: ignore[arg-type]

    def _answer(self) -> HttpResponse:
        request = self.request
        if any(isinstance(one, int) and one > LARGEST_ID for one in self.kwargs.values()):
            raise Http404
        key = idempotency.key_of(request)
        if key:
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
        """The answer of a writing call, remembered in the transaction that carries its effect."""
        refusal = self._guarded(self.prepare)
        if refusal is None and self.lasts_long():
            answer = self._guarded(lambda: self._write(handler))
            keep(answer)
            return answer

        @busy.retried
        def carried_out() -> HttpResponse:
            with transaction.atomic():
                answer = self._guarded(lambda: self._write(handler)) if refusal is None else refusal
                keep(answer)
            return answer

        return self._guarded(carried_out)

    def _write(self, handler: Handler) -> HttpResponse:
        """All of the call or nothing: whatever is refused, or cannot be answered, is taken back."""
        if self.lasts_long():
            self._compare()
            return handler(self.request, **self.kwargs)
        return self._written(handler)

    @busy.retried
    def _written(self, handler: Handler) -> HttpResponse:
        with transaction.atomic():
            self.hold()
            self._compare()
            answer = handler(self.request, **self.kwargs)
            if answer.status_code >= 400:
                transaction.set_rollback(True)
            elif self._shows_record(answer):
                answer["ETag"] = self.tag(answer)
        return answer

    def _shows_record(self, answer: HttpResponse) -> bool:
        """Not what a record was before it was deleted."""
        return self.request.method != "DELETE" and answer.status_code in self._handler_told().tagged

    def _handler_told(self) -> Told:
        """What the handler of the call says of itself."""
        return told_of(getattr(type(self), (self.request.method or "").lower()))

    def prepare(self) -> None:
        """What a writing call does before its transaction: look at the parameters of the query,
        and ask others, such as the ERP, for whom no row may be kept locked. Writes nothing.
        """

    def lasts_long(self) -> bool:
        """Whether the call is about so many rows that nobody else could write while it lasts. It is
        carried out in several transactions then, each row in one of them.
        """
        return False

    def hold(self) -> None:
        """Lock what the call writes, in the order in which every writer of it locks it."""

    def compares(self, variables: Collection[str]) -> bool:
        """Whether there is something to compare ``If-Match`` with, at an address with these
        variables; for the description, see :meth:`current`.
        """
        return hasattr(self, "get")

    def current(self) -> HttpResponse | None:
        """What ``If-Match`` is compared with: the answer to a GET of the same address."""
        read: Handler | None = getattr(self, "get", None)
        return read(self.request, **self.kwargs) if read else None

    def tag(self, answer: HttpResponse) -> str:
        """The ETag of a record after a write, as a GET of it will have it."""
        return etag(answer.content)

    @property
    def if_match(self) -> set[str]:
        """The tags of which the record must still have one; none where any state will do."""
        wanted = self.request.headers.get("If-Match", "").strip()
        return set() if wanted in ("", "*") else _tags(wanted)

    def _compare(self) -> None:
        """:raises ApiError: 412 where the caller has seen another state."""
        if not self.if_match:
            return
        current = self.current()
        if current is None:
            raise ApiError(412, WITHOUT_ETAG)
        if etag(current.content) not in self.if_match:
            raise ApiError(412, CHANGED)

    def _guarded(self, do: Callable[[], Value]) -> Value | HttpResponse:
        """Every exception becomes an answer; one that nobody expected is logged as ours."""
        request = self.request._request
        try:
            return do()
        except NotAuthenticated:
            answer = error_answer(request, 401, INVALID_TOKEN)
            answer["WWW-Authenticate"] = CHALLENGE
            return answer
        except Exception as error:
            if busy.in_transaction() and busy.is_conflict(error):
                # Whoever opened the transaction does it again.
                raise
            known = answer_to(request, error)
            if known is not None:
                return known
            logger.exception("API call failed: %s %s", request.method, request.path)
            return error_answer(request, 500, OURS)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, find the scope, and count the call. :raises ApiError: 429."""
        super().initial(request, *args, **kwargs)
        account = 0
        try:
            account = self.enter(request)
        finally:
            self.meter = throttles.count(application_of(request).pk, account)
        if self.meter.exceeded:
            raise ApiError(429, TOO_MANY)

    def enter(self, request: Request) -> int:
        """Find the scope of the call; returns the account's id, 0 for none."""
        return 0

    def _conditional(self, answer: HttpResponse) -> HttpResponse:
        """``ETag`` on what is read, and 304 for whoever has it."""
        if self.request.method not in ("GET", "HEAD") or answer.status_code != 200:
            return answer
        tag = etag(answer.content)
        answer["ETag"] = tag
        answer["Cache-Control"] = "private, no-cache"
        wanted = self.request.headers.get("If-None-Match", "")
        if tag in _tags(wanted) or wanted.strip() == "*":
            answer.status_code = 304
            answer.content = b""
        return answer


def _tags(header: str) -> set[str]:
    return {one.strip().removeprefix("W/") for one in header.split(",")}


class ScopedView(RestView):
    """A view of one company or, with ``of_project``, of one project.

    ``reads`` names the policy rule that every call needs; a handler asks for more by
    :meth:`require`.
    """

    of_project = False
    reads = ""
    access: Access

    def enter(self, request: Request) -> int:
        """The rights of the caller where the call points."""
        self.access = scope.access_to(request, self.kwargs, of_project=self.of_project)
        if self.reads:
            self.require(self.reads)
        return self.access.account.pk

    @property
    def project(self) -> Project:
        """The project of the call. :raises Http404: where it names none."""
        if self.access.project is None:
            raise Http404
        return self.access.project

    def require(self, action: str, entity: str = "") -> None:
        """:raises PermissionDenied: 403 with the reason, unless the policy allows it."""
        require(self.access, action, entity)

    def wrapped(self, name: str) -> Mapping[str, Any]:
        """The object that a writing call carries under ``name``.

        :raises Malformed: where it is missing or no object.
        """
        found = scope.body_of(self.request).get(name)
        if not isinstance(found, Mapping):
            raise Malformed({name: ["is missing" if found is None else "must be an object"]})
        return found


class Resource(ScopedView):
    """A list, or one record of it, in one of several shapes.

    ``shapes`` maps the words of ``view=`` to what they show; an unknown word is refused.
    """

    listing = Listing()

    def prepare(self) -> None:
        """Refuse an unknown ``view`` before anything is written."""
        super().prepare()
        if {One, Page, Synced} & set(self._handler_told().answers.values()):
            self.shape()

    def hold(self) -> None:
        """The account's row, so that records are looked up and stored by one caller at a time; and
        where a state is to be compared, what :meth:`holds` names.

        Without KEY in the lock rows that refer to the account can be stored meanwhile.
        """
        super().hold()
        rows = [Account.objects.filter(pk=self.access.account.pk)]
        for held in (*rows, *(self.holds() if self.if_match else ())):
            list(held.select_for_update(no_key=True).values_list("pk"))

    def holds(self) -> Iterator[QuerySet[Any]]:
        """The rows whose state ``If-Match`` is about, after those that are locked before them."""
        if "pk" in self.kwargs:
            row = self.one(self.kwargs["pk"])
            yield type(row)._base_manager.filter(pk=row.pk)

    def compares(self, variables: Collection[str]) -> bool:
        """With the record that the address names."""
        return "pk" in variables or super().compares(variables)

    def current(self) -> HttpResponse | None:
        """The record of the address, in the view that was asked for."""
        if "pk" in self.kwargs:
            return self.show(self.one(self.kwargs["pk"]).pk)
        return super().current()

    def found(self) -> QuerySet[Any]:
        """The rows that the caller can see here; every fetch starts from it."""
        raise NotImplementedError

    def shapes(self) -> Mapping[str, Shape]:
        """What can be shown, by the word of ``view=``."""
        raise NotImplementedError

    def shape(self) -> Shape:
        """The shape asked for. :raises Malformed: for an unknown word."""
        query = self.request.query_params
        word = query.get("view") or query.get("serializer_view") or self.default_view
        shapes = self.shapes()
        if word not in shapes:
            known = ", ".join(one for one in shapes if one)
            raise Malformed({"view": [f"“{word[:50]}” is not one of: {known}"]})
        return shapes[word]

    def page(self) -> JsonAnswer:
        """A page of what is found."""
        return self.listing.page(self.request, self.found(), self.shape())

    def one(self, pk: int) -> Any:
        """The row itself. :raises Http404: where it is not among what is found."""
        row = self.found().filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def show(self, pk: int, status: int = 200) -> JsonAnswer:
        """One record. :raises Http404: where it is gone."""
        shown = self.shape()([pk])
        if pk not in shown:
            raise Http404
        return JsonAnswer(shown[pk], status)


class Listed(Resource):
    """GET answers a page."""

    @answers(Page)
    def get(self, request: Request, **path: Any) -> JsonAnswer:
        """A page of them."""
        return self.page()


class Shown(Resource):
    """GET answers one record."""

    @answers(One)
    def get(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Show it."""
        return self.show(self.one(pk).pk)

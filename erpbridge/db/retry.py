"""Retry the view of a page when the database rolled back its transaction because of another one.

The whole view runs again on the original request, unless it has already committed something: an
earlier transaction of a click must not be repeated. API calls retry their one transaction
themselves (``erpbridge.rest.views``), and so do tasks (``erpbridge.db.busy.retried``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty

from erpbridge.db import busy

# A WITH statement may write; counting one that only reads just prevents a retry.
WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
View = Callable[..., HttpResponse]


class Stored:
    """Records whether a request has committed anything."""

    def __init__(self) -> None:
        self.anything = False

    def __call__(
        self,
        execute: Callable[..., object],
        sql: str,
        params: object,
        many: bool,
        context: object,
    ) -> object:
        """Wrap a statement; outside a transaction it is committed at once."""
        result = execute(sql, params, many, context)
        # Six characters are enough for each of the words.
        if not self.anything and sql[:6].upper().startswith(WRITES):
            if not busy.in_transaction():
                self._note()
            # Once per transaction: Django drops the hook with a transaction that is rolled back.
            elif not any(hook[1] == self._note for hook in connection.run_on_commit):
                transaction.on_commit(self._note)
        return result

    def _note(self) -> None:
        self.anything = True


def stored_something(request: HttpRequest) -> bool:
    """Whether part of the request is committed although the rest failed."""
    stored: Stored | None = getattr(request, "stored", None)
    return stored is not None and stored.anything


class RetryMiddleware:
    """Must be the last middleware: the work of the others is not repeated."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Watch what the view commits."""
        stored = Stored()
        request.stored = stored  # type: ignore[attr-defined]
        request.as_it_came = _OriginalRequest(request)  # type: ignore[attr-defined]
        with connection.execute_wrapper(stored):
            return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        """Run the view again; None if that is not possible, for the error page."""
        match, attempt = request.resolver_match, 1
        while not request.stored.anything and busy.again(attempt, error, match.view_name or "page"):
            # A file that Django has closed cannot be read a second time.
            if not request.as_it_came.bring_back(request):
                return None
            try:
                response: HttpResponse = match.func(request, *match.args, **match.kwargs)
            except Exception as next_error:
                if not busy.is_conflict(next_error):
                    raise
                error, attempt = next_error, attempt + 1
            else:
                return response
        return None


class _OriginalRequest:
    """A copy of what a view may change in its request."""

    def __init__(self, request: HttpRequest) -> None:
        session = getattr(request, "session", None)
        # Including the session key, which a changed password renews.
        self.session = copy.deepcopy(vars(session)) if session is not None else {}

    def bring_back(self, request: Any) -> bool:
        """Restore the request. False if one of its files is closed."""
        files = [file for _name, uploads in request.FILES.lists() for file in uploads]
        if any(file.closed for file in files):
            return False
        for file in files:
            file.seek(0)
        if self.session:
            vars(request.session).clear()
            vars(request.session).update(copy.deepcopy(self.session))
        messages = getattr(request, "_messages", None)
        if messages is not None:
            messages._queued_messages, messages.used, messages.added_new = [], False, False
            messages.__dict__.pop("_loaded_data", None)
        # Drop the cached user, which the view may have changed.
        request.__dict__.pop("_cached_user", None)
        if isinstance(user := request.__dict__.get("user"), LazyObject):
            user._wrapped = empty
        return True

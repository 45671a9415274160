"""A page whose transaction the database took back for another's sake is asked for again.

The view runs once more as a whole, from the request as it came, unless something of it was stored
already: what a click did in an earlier transaction is not done twice. Calls of the API do their one
transaction again (``erpbridge.rest.views``), and so do tasks (``erpbridge.db.busy.retried``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.functional import LazyObject, empty

from erpbridge.db import busy

WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
View = Callable[..., HttpResponse]


class Stored:
    """Notes whether a request has stored anything for good."""

    def __init__(self) -> None:
        self.anything = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Around each statement; outside of a transaction it is stored at once."""
        result = execute(sql, params, many, context)
        if not self.anything and sql[:6].upper().startswith(WRITES):
            if not busy.in_transaction():
                self._note()
            elif not self._told():
                transaction.on_commit(self._note)
        return result

    def _told(self) -> bool:
        return any(one[1] == self._note for one in connection.run_on_commit)

    def _note(self) -> None:
        self.anything = True


def stored_something(request: HttpRequest) -> bool:
    """Whether a part of what was asked for is stored, although the rest could not be."""
    stored: Stored | None = getattr(request, "stored", None)
    return stored is not None and stored.anything


class RetryMiddleware:
    """The last of all: what the others have made of the request stays."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Watch what the view stores."""
        stored = Stored()
        request.stored = stored  # type: ignore[attr-defined]
        request.as_it_came = _Came(request)  # type: ignore[attr-defined]
        with connection.execute_wrapper(stored):
            return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        """Run the view again, a few times; None where it cannot be, for the page that says so."""
        match, attempt = request.resolver_match, 1
        while not request.stored.anything and busy.again(attempt, error, match.view_name or "page"):
            if not request.as_it_came.bring_back(request):
                return None
            try:
                answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
            except Exception as another:
                if not busy.is_conflict(another):
                    raise
                error, attempt = another, attempt + 1
            else:
                return answer
        return None


class _Came:
    """What a view may have changed of its request."""

    def __init__(self, request: HttpRequest) -> None:
        session = getattr(request, "session", None)
        # With its key, which a change of the password renews.
        self.session = copy.deepcopy(vars(session)) if session is not None else {}

    def bring_back(self, request: Any) -> bool:
        """Make the request what it was. False where a file of it is closed."""
        files: list[Any] = [one for _name, some in request.FILES.lists() for one in some]
        if any(one.closed for one in files):
            return False
        for one in files:
            one.seek(0)
        if self.session:
            vars(request.session).clear()
            vars(request.session).update(copy.deepcopy(self.session))
        messages = getattr(request, "_messages", None)
        if messages is not None:
            messages._queued_messages, messages.used, messages.added_new = [], False, False
            messages.__dict__.pop("_loaded_data", None)
        # The person as stored, not as the view has changed it.
        request.__dict__.pop("_cached_user", None)
        if isinstance(user := request.__dict__.get("user"), LazyObject):
            user._wrapped = empty
        return True

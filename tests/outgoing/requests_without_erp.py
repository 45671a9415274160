"""No page and no REST call may call the ERP: a request must not wait for an ERP.

While any test handles a request, the guard around adapters refuses calls of the ERP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponseBase

from erp_integrations.connections import safe_adapter

handled: ContextVar[HttpRequest | None] = ContextVar("handled", default=None)


@contextmanager
def refusing_calls_of_the_erp() -> Iterator[None]:
    """Refuse calls of the ERP while a request is handled."""
    answer, require = BaseHandler.get_response, safe_adapter._require_no_transaction

    def get_response(self: Any, request: HttpRequest) -> HttpResponseBase:
        token = handled.set(request)
        try:
            return answer(self, request)
        finally:
            handled.reset(token)

    def require_no_request(method: str) -> None:
        request = handled.get()
        if request is not None:
            raise safe_adapter.CallNotAllowed(
                f"{request.method} {request.path} calls the ERP by Adapter.{method}. Start a job."
            )
        require(method)

    with (
        patch.object(BaseHandler, "get_response", get_response),
        patch.object(safe_adapter, "_require_no_transaction", require_no_request),
    ):
        yield

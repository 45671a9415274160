"""Log formatters: one line or one JSON object per event, with the id of the request.

Context is bound with :func:`bound`; every line logged in the block, by any library, has it. Secrets
that this process has read are redacted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from erpbridge.request_id import current_request_id
from erpbridge.ui.logs.redaction import redact_line

# Allowed context fields of a line; none has a record's content.
FIELDS = (
    "event",
    "account",
    "connection",
    "item",
    "attempt",
    "items",
    "outcome",
    "error_class",
    "duration",
)
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default={})  # noqa: B039 - read only


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Add these of :data:`FIELDS` to every line logged in the block."""
    token = _bound.set({**_bound.get(), **values})
    try:
        yield
    finally:
        _bound.reset(token)


class LineFormatter(logging.Formatter):
    """Text lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted line."""
        return redact_line(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per line, for log processors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted object, with a traceback as one of its values."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact_line(record.getMessage()),
            "request_id": getattr(record, "request_id", "") or current_request_id() or "-",
            **_bound.get(),
        }
        line.update((name, getattr(record, name)) for name in FIELDS if hasattr(record, name))
        if record.exc_info:
            line["exception"] = redact_line(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redact_line(record.stack_info)
        return json.dumps(line, default=str)

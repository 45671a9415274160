"""Points in time by the database's clock, which all processes share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now


def after(seconds: float) -> ExpressionWrapper[Any]:
    """The database's time in so many seconds, as an expression for UPDATE and filter."""
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def now() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        (value,) = cursor.fetchone()
    # SQLite answers with text, in UTC.
    found = value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}+00:00")
    return found.astimezone(UTC)

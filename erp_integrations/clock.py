"""Points in time by the database's clock, which all processes share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now


def after(seconds: float) -> ExpressionWrapper[Any]:
    """The database's time in so many seconds, as an expression for UPDATE and filter."""
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )

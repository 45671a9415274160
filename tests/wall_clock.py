"""The database's wall clock set to another time, as ``Now`` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.models.functions import Now


@contextmanager
def jump(seconds: int) -> Iterator[None]:
    """So many seconds ahead, or back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Now, "as_postgresql", _postgresql(seconds))
        patch.setattr(Now, "as_sqlite", _sqlite(seconds))
        yield


def _postgresql(seconds: int) -> Any:
    template = f"(STATEMENT_TIMESTAMP() + INTERVAL '{seconds} seconds')"
    return lambda self, *args, **kwargs: self.as_sql(*args, template=template, **kwargs)


def _sqlite(seconds: int) -> Any:
    form = "%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f"
    template = f"STRFTIME('{form}', 'NOW', '{seconds:+} seconds')"
    return lambda self, *args, **kwargs: self.as_sql(*args, template=template, **kwargs)

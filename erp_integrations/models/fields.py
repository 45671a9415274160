"""Columns that several tables have."""

from __future__ import annotations

from django.conf import settings
from django.db import models


def by_person(*, null: bool = True) -> models.ForeignKey:  # type: ignore[type-arg]
    """Who did something; a person is never deleted from under it."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=null, on_delete=models.PROTECT, related_name="+"
    )

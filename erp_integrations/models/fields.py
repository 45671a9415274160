"""Model fields that several models use."""

from __future__ import annotations

from django.conf import settings
from django.db import models


def by_person(*, null: bool = True) -> models.ForeignKey:  # type: ignore[type-arg]
    """Foreign key to the user who did something; PROTECT keeps that user from being deleted."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=null, on_delete=models.PROTECT, related_name="+"
    )

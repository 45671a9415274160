"""When two keys are the same to the ERP: by the one rule of its manifest, here and in the database.

An ERP that tells letters by their case tells everything: its keys are compared to the letter.
Any other takes two spellings of one text for the same, as ``erpbridge.db.text`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet

from erp_integrations.adapters.base import EntityManifest
from erpbridge.db import text

Row = TypeVar("Row", bound=Model)


def compared(manifest: EntityManifest | None, key: str) -> str:
    """The form in which the key is the same as another, or not."""
    return key.strip() if manifest and manifest.key_case_sensitive else text.key(key)


def as_sent(manifest: EntityManifest, key: str) -> str:
    """The form in which the ERP is given the key, and asked for it."""
    return key if manifest.key_case_sensitive else key.upper()


def column(manifest: EntityManifest, name: str) -> str:
    """The column that holds :func:`compared` of the column ``name``."""
    return name if manifest.key_case_sensitive else f"{name}_folded"


def holding(
    rows: QuerySet[Row], manifest: EntityManifest, name: str, keys: Sequence[str]
) -> QuerySet[Row]:
    """The rows whose column ``name`` is the same as one of the compared keys."""
    return rows.filter(**{f"{column(manifest, name)}__in": keys})

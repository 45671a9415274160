"""Comparison of ERP keys by the manifest's case rule, in Python and in the database.

Keys of a case-sensitive ERP are compared exactly. Other keys are compared as ``erpbridge.db.text``
compares texts, regardless of case. See docs/design/export-protocol.md, "The ERP key".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Model, QuerySet

from erp_integrations.adapters.base import EntityManifest
from erpbridge.db import text

Row = TypeVar("Row", bound=Model)


def compared(manifest: EntityManifest | None, key: str) -> str:
    """Return the form of a key in which equal keys are the same text."""
    return key.strip() if manifest and manifest.key_case_sensitive else text.key(key)


def as_sent(manifest: EntityManifest, key: str) -> str:
    """Return the form of a key that is sent to the ERP and looked up there."""
    return key if manifest.key_case_sensitive else key.upper()


def column(manifest: EntityManifest, name: str) -> str:
    """Return the name of the column that stores ``name`` in the form of :func:`compared`."""
    return name if manifest.key_case_sensitive else f"{name}_folded"


def holding(
    rows: QuerySet[Row], manifest: EntityManifest, name: str, keys: Sequence[str]
) -> QuerySet[Row]:
    """Filter rows whose column ``name`` equals one of the keys.

    :param keys: in the form of :func:`compared`.
    """
    return rows.filter(**{f"{column(manifest, name)}__in": keys})

"""Helpers for migrations that add folded columns (``db/folded_fields.py``) to existing tables."""

from __future__ import annotations

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

from erpbridge.db.folded_fields import folded_fields, refold


def fill(model: type[models.Model]) -> None:
    """Write the folded columns of all rows."""
    ids = list(model._base_manager.order_by("pk").values_list("pk", flat=True))
    refold(model, ids, folded_fields(model))


def check_now(editor: BaseDatabaseSchemaEditor) -> None:
    """Check deferred constraints now: PostgreSQL cannot alter a table with pending checks."""
    if editor.connection.vendor == "postgresql":
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refuse_equal(
    model: type[models.Model], column: str, within: str, *, only: Q | None = None
) -> None:
    """Stop a migration, before it changes anything, if two rows have become equal.

    :raises RuntimeError: listing all of them and what to do.
    """
    (field,) = (folded for folded in folded_fields(model) if folded.name == column)
    (source,) = field.sources
    words = str(model._meta.get_field(source).verbose_name).lower()  # type: ignore[union-attr]
    holders: dict[tuple[object, str], list[str]] = {}
    rows = model._base_manager.filter(only or Q()).order_by("pk")
    for pk, scope, text in rows.values_list("pk", within, source).iterator():
        holders.setdefault((scope, field.folded([text])), []).append(f"{text!r} (id {pk})")
    equal = [" and ".join(labels) for labels in holders.values() if len(labels) > 1]
    if equal:
        raise RuntimeError(
            f"Nothing was changed. These {model._meta.verbose_name_plural} are the same "
            f"{words} from this version on, which compares text without regard to case, kind of "
            "dash, apostrophe and space, and invisible characters:\n  " + "\n  ".join(equal) + "\n"
            "Go back to the version that ran before, rename or delete all but one of each on its "
            "page, then run migrate again. No row was lost or merged."
        )

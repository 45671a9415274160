"""Store an upload, and confirm it once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from django.db.models.functions import Now

from erpbridge.access.policy import Access
from erpbridge.files.table import Table
from erpbridge.imports.models import FileImport
from erpbridge.refusals import Refused

KEPT = timedelta(days=7)
Stored = TypeVar("Stored", bound=FileImport)


class ConfirmRefused(Refused):
    """A confirmation that was refused."""


class AlreadyConfirmed(ConfirmRefused):
    """The import was confirmed before."""


class Changed(ConfirmRefused):
    """The import would do something else than the page showed."""


def store(
    model: type[Stored], table: Table, *, file_name: str, access: Access, **more: object
) -> Stored:
    """Store the rows of a file; delete uploads that were not confirmed within a week.

    :param more: further columns of the model.
    """
    rows = model._base_manager
    # Here, so that no cleanup job is needed.
    rows.filter(account=access.account, confirmed_at=None, at__lt=Now() - KEPT).delete()
    return rows.create(
        account=access.account,
        by=access.user,
        # The end of a name that is too long for the column, because it holds the extension.
        file_name=file_name[-255:],
        header=table.header,
        rows=[line.as_json() for line in table.lines],
        notice=table.notice,
        **more,
    )


def update_unconfirmed(stored: FileImport, **columns: object) -> bool:
    """Change columns of an upload; False if it was confirmed already."""
    waiting = type(stored)._base_manager.filter(pk=stored.pk, confirmed_at=None)
    return bool(waiting.update(**columns))


def confirm_once(stored: FileImport) -> None:
    """Mark an upload as confirmed, and read it as it is now.

    :raises AlreadyConfirmed: the second time.
    """
    # The conditional UPDATE lets only one confirmation through.
    if not update_unconfirmed(stored, confirmed_at=Now()):
        raise AlreadyConfirmed("This file was imported already. Nothing was imported again.")
    stored.refresh_from_db()


def finish(stored: FileImport, result: Mapping[str, object]) -> None:
    """Keep the result of an import instead of its rows."""
    stored.rows, stored.result = [], dict(result)
    stored.save(update_fields=["rows", "result"])

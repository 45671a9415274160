"""Writing what a plan says, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import CodeRefused
from admin_wbs.importing import uploads
from admin_wbs.importing.plan import Plan, State
from admin_wbs.models import CodeImport, CodeList
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.files.errors import Refused


class AlreadyConfirmed(CodeRefused):
    """The import was confirmed before."""


class Changed(CodeRefused):
    """The import is not any more what the page showed."""


@dataclass(frozen=True)
class Result:
    """What an import did; the codes that were there and stayed are ``unchanged``."""

    created: int
    changed: int
    unchanged: int
    refused: list[Refused]

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the upload."""
        refused = [[one.line, one.cells, one.reason] for one in self.refused]
        return {**self.counts, "refused": refused}

    @property
    def counts(self) -> dict[str, int]:
        """Rows by what was done."""
        done = {"created": self.created, "changed": self.changed, "unchanged": self.unchanged}
        return {**done, "errors": len(self.refused)}


@transaction.atomic
def confirm(stored: CodeImport, *, seen: str, by: User) -> Result:
    """Import the rows without errors; ``seen`` is the fingerprint of the preview.

    :raises AlreadyConfirmed: the second time; nothing is done again.
    :raises Changed: when the list changed so that the rows would do something else.
    :raises ReadOnly: where the list takes no changes.
    """
    found = list_services.lock(stored.list_id)
    mine = CodeImport.objects.filter(pk=stored.pk, confirmed_at=None)
    if not mine.update(confirmed_at=Now()):
        raise AlreadyConfirmed("This file was imported already. Nothing was imported again.")
    stored.refresh_from_db()
    plan = uploads.plan_of(stored)
    if plan.fingerprint != seen:
        raise Changed(
            "The list or the way to split codes changed since this page was opened, so nothing "
            "was imported. Look at the preview again."
        )
    result = _apply(plan, found, file_name=stored.file_name, by=by)
    stored.rows, stored.result = [], result.as_json()
    stored.save(update_fields=["rows", "result"])
    return result


@transaction.atomic
def import_plan(plan: Plan, found: CodeList, *, file_name: str, by: User) -> Result:
    """Import without a preview, as the command does.

    :raises Changed: when the list was changed since the plan was made of it.
    :raises ReadOnly: where the list takes no changes.
    """
    locked = list_services.lock(found.pk)
    if locked.revision != found.revision:
        raise Changed("The list was changed while the file was checked. Start again.")
    return _apply(plan, locked, file_name=file_name, by=by)


def _apply(plan: Plan, found: CodeList, *, file_name: str, by: User) -> Result:
    """Into a locked list. :raises ReadOnly:"""
    new = [one.row for one in plan.of_state(State.NEW)]
    changed = plan.of_state(State.CHANGED)
    result = Result(len(new), len(changed), plan.counts[State.UNCHANGED], plan.refused)
    if plan.usable:
        list_services.refuse_read_only(found)
        list_services.touch(found, by=by)
        code_services.store_many(found, [(row.path, row.description) for row in new], by=by)
        texts = {one.known.pk: one.row.description for one in changed if one.known}
        code_services.store_descriptions(found, texts, by=by)
        done = {"file": file_name, **result.counts}
        event = Note(list_services.LIST, found.pk, found.name, "codes imported", data=done)
        note(found.account_id, [event], by=by)
    return result

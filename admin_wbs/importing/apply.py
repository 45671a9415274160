"""Write what an import plan contains, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.importing import uploads
from admin_wbs.importing.plan import Plan, State
from admin_wbs.models import CodeImport, CodeList
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.files.errors import Refused
from erpbridge.imports.uploads import Changed, confirm_once, finish
from erpbridge.json_values import Json


@dataclass(frozen=True)
class Result:
    """What an import did. ``unchanged`` codes existed already with the same description."""

    created: int
    changed: int
    unchanged: int
    refused: list[Refused]

    def as_json(self) -> dict[str, Json]:
        """The format in which it is stored with the upload."""
        refused: list[Json] = [[row.line, row.cells, row.reason] for row in self.refused]
        return {**self.counts, "refused": refused}

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by outcome."""
        done = {"created": self.created, "changed": self.changed, "unchanged": self.unchanged}
        return {**done, "errors": len(self.refused)}


@transaction.atomic
def confirm(stored: CodeImport, *, seen: str, by: User) -> Result:
    """Import the rows without errors. ``seen`` is the fingerprint of the preview.

    :raises AlreadyConfirmed: the second time; nothing is imported again.
    :raises Changed: if the list changed so that the rows would do something else.
    :raises ReadOnly: if the list cannot be changed.
    :raises Locked: if a code was sent to accounting after its row was checked.
    """
    # The list before anything else (docs/locks.md, "The order"), and before the plan is made.
    code_list = list_services.lock(stored.list_id)
    confirm_once(stored)
    plan = uploads.plan_of(stored)
    if plan.fingerprint != seen:
        # Also takes back ``confirm_once``, so that the file can still be confirmed.
        raise Changed(
            "The list or the way to split codes changed since this page was opened, so nothing "
            "was imported. Look at the preview again."
        )
    result = _apply(plan, code_list, file_name=stored.file_name, by=by)
    finish(stored, result.as_json())
    return result


@transaction.atomic
def import_plan(plan: Plan, code_list: CodeList, *, file_name: str, by: User) -> Result:
    """Import without a preview, for the management command.

    :raises Changed: if the list was changed after the plan was made.
    :raises ReadOnly: if the list cannot be changed.
    :raises Locked: if a code was sent to accounting after the plan was made.
    """
    locked = list_services.lock(code_list.pk)
    if locked.revision != code_list.revision:
        raise Changed("The list was changed while the file was checked. Start again.")
    return _apply(plan, locked, file_name=file_name, by=by)


def _apply(plan: Plan, code_list: CodeList, *, file_name: str, by: User) -> Result:
    """Write the rows to the locked list. :raises ReadOnly: :raises Locked:"""
    new = [planned.row for planned in plan.of_state(State.NEW)]
    changed = plan.of_state(State.CHANGED)
    result = Result(len(new), len(changed), plan.counts[State.UNCHANGED], plan.refused)
    # Without this a file that changes nothing would make open pages of the list stale.
    if plan.usable:
        # Asked again under the lock: the ERP may have been disconnected since the upload.
        list_services.refuse_read_only(code_list)
        list_services.touch(code_list, by=by)
        code_services.store_many(code_list, [(row.path, row.description) for row in new], by=by)
        texts = {planned.known.pk: planned.row.description for planned in changed if planned.known}
        code_services.store_descriptions(code_list, texts, by=by)
        data: Mapping[str, Json] = {"file": file_name, **result.counts}
        event = Note(list_services.LIST, code_list.pk, code_list.name, "codes imported", data=data)
        note(code_list.account_id, [event], by=by)
    return result

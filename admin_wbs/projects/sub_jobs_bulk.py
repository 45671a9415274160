"""Creating and changing many sub jobs of a project at once, each row with its own fate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from django.db import transaction
from django.utils import timezone

from admin_wbs import external_ids
from admin_wbs.errors import IN_BUDGET_CODE, SegmentRefused
from admin_wbs.models import SubJob, WbsCodeItem
from admin_wbs.projects.sub_jobs import SUB_JOB, offered
from admin_wbs.rows import Row, put
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, note
from erpbridge.db.text import key

COLUMNS = ("code", "name", "origin_id", "origin_data")
ONCE = {"code": "{} is the code of another sub job", "name": "{} is the name of another sub job"}
ONCE_ORIGIN = "has already been taken"
KNOWN = "is known to another system and stays"


@transaction.atomic
def store(project: Project, rows: Sequence[Row], *, access: Access) -> None:
    """Create and change sub jobs; a row that cannot be stored stops no other.

    No two rows are the same sub job. New ones get their ``pk``. What the ERP calls one is set by
    who may import from it (``origin_ids``).

    :raises SegmentRefused: where the account has not enabled sub jobs.
    """
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
    if not offered(project):
        raise SegmentRefused("Sub Job is not enabled in the account's Work Breakdown Structure.")
    stored = {one.pk: one for one in SubJob.objects.filter(project=project)}
    used = WbsCodeItem.objects.held("sub_job", (row.pk for row in rows if row.pk))
    for row in rows:
        _check(row, stored, used)
        if why := external_ids.refusal(stored.get(row.pk or 0), row.values, access=access):
            row.refuse("origin_id", why)
    for column in ("code", "name", "origin_id"):
        _refuse_taken(rows, stored, column)
    good = [row for row in rows if not row.errors]
    new = [(row, SubJob(project=project, **row.values)) for row in good if row.pk is None]
    SubJob.objects.bulk_create([one for _row, one in new])
    for row, one in new:
        row.pk = one.pk
    notes = [_note(project, one, "created") for _row, one in new]
    for _row, one in new:
        notes += _told(project, one, external_ids.of_new(one))
    changed = [(stored[row.pk], row.values) for row in good if row.pk in stored]
    for one, values in changed:
        notes += _told(project, one, _set(one, values))
    SubJob.objects.bulk_create(
        [one for one, _values in changed],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*COLUMNS, "revision", "updated_at"],
    )
    note(project.account_id, notes, by=access.user)


def _check(row: Row, stored: Mapping[int, SubJob], used: Set[int]) -> None:
    if row.pk is None:
        for column in ("code", "name"):
            if not row.values.get(column):
                row.refuse(column, "is missing")
        return
    one = stored[row.pk]
    unlinked = row.values.get("origin_id") == ""
    if row.values.get("code", one.code) == one.code:
        return
    if one.origin_id and not unlinked:
        row.refuse("code", KNOWN)
    elif one.pk in used:
        row.refuse("code", f"stays. {IN_BUDGET_CODE}")


def _refuse_taken(rows: Iterable[Row], stored: Mapping[int, SubJob], column: str) -> None:
    """One code, name and ERP id belong to one sub job; of two rows the first gets it."""
    holders: dict[str, object] = {
        _compared(column, getattr(one, column)): one.pk
        for one in stored.values()
        if getattr(one, column)
    }
    for row in rows:
        value = row.values.get(column, "")
        me: object = row.pk or row
        if not value or row.errors:
            continue
        if holders.setdefault(_compared(column, value), me) != me:
            row.refuse(column, ONCE.get(column, ONCE_ORIGIN).format(value))


def _compared(column: str, value: str) -> str:
    """An ERP id is compared to the letter."""
    return value if column == "origin_id" else key(value)


def _set(one: SubJob, values: Mapping[str, str]) -> dict[str, list[Any]]:
    made = put(one, values)
    if made:
        one.revision += 1
        one.updated_at = timezone.now()
    return made


def _told(project: Project, one: SubJob, made: Mapping[str, list[Any]]) -> list[Note]:
    own = {name: pair for name, pair in made.items() if name not in external_ids.COLUMNS}
    edited = [_note(project, one, "edited", own)] if own else []
    data = _of(project)
    return [*edited, *external_ids.notes(SUB_JOB, one.pk, str(one), made, data=data)]


def _of(project: Project) -> dict[str, Any]:
    return {"project": str(project), "project_id": project.pk}


def _note(project: Project, one: SubJob, verb: str, made: Mapping[str, Any] | None = None) -> Note:
    data = {**_of(project), **({"changes": dict(made)} if made else {})}
    return Note(SUB_JOB, one.pk, str(one), verb, data=data)

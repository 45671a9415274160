"""Create and change many sub jobs in one call. A row with errors does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from django.db import transaction
from django.utils import timezone

from admin_wbs import external_ids
from admin_wbs.errors import IN_BUDGET_CODE, SegmentRefused
from admin_wbs.models import SubJob, WbsCodeItem
from admin_wbs.projects.sub_jobs import SUB_JOB, offered
from admin_wbs.rows import ValueRow, put
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.audit.services import Changes, Note, Verb, note
from erpbridge.db.text import key
from erpbridge.json_values import Json
from erpbridge.refusals import TAKEN

COLUMNS = ("code", "name", "origin_id", "origin_data")
ONCE = {"code": "{} is the code of another sub job", "name": "{} is the name of another sub job"}
KNOWN = "is known to another system and stays"


@transaction.atomic
def store(project: Project, rows: Sequence[ValueRow], *, access: Access) -> None:
    """Create and change sub jobs; a row with errors is skipped.

    No two rows may be the same sub job. New rows get their ``pk``. Setting the ERP's id needs the
    permission to import (see :mod:`admin_wbs.external_ids`).

    :raises SegmentRefused: if the account has not enabled sub jobs.
    """
    # list() runs the query, which takes the lock.
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
    if not offered(project):
        raise SegmentRefused("Sub Job is not enabled in the account's Work Breakdown Structure.")
    # All of the project: the rows are compared with every code and name that is taken.
    stored = {sub_job.pk: sub_job for sub_job in SubJob.objects.filter(project=project)}
    used = WbsCodeItem.objects.used_ids("sub_job", (row.pk for row in rows if row.pk))
    for row in rows:
        _check(row, stored, used)
        if why := external_ids.refusal(stored.get(row.pk or 0), row.values, access=access):
            row.refuse({"origin_id": [why]})
    # Not left to the constraints: one taken value would fail the statement that stores all rows.
    for column in ("code", "name", "origin_id"):
        _refuse_taken(rows, stored, column)
    good = [row for row in rows if not row.errors]
    new = [(row, SubJob(project=project, **row.values)) for row in good if row.pk is None]
    SubJob.objects.bulk_create([sub_job for _row, sub_job in new])
    for row, sub_job in new:
        row.pk = sub_job.pk
    notes = [_note(project, sub_job, Verb.CREATED) for _row, sub_job in new]
    for _row, sub_job in new:
        notes += _change_notes(project, sub_job, external_ids.of_new(sub_job))
    changed = [(stored[row.pk], row.values) for row in good if row.pk in stored]
    for sub_job, values in changed:
        notes += _change_notes(project, sub_job, _set(sub_job, values))
    # Every row exists: an upsert writes them all with one statement.
    SubJob.objects.bulk_create(
        [sub_job for sub_job, _values in changed],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*COLUMNS, "revision", "updated_at"],
    )
    note(project.account_id, notes, by=access.user)


def _check(row: ValueRow, stored: Mapping[int, SubJob], used: Set[int]) -> None:
    if row.pk is None:
        for column in ("code", "name"):
            if not row.values.get(column):
                row.refuse({column: ["is missing"]})
        return
    sub_job = stored[row.pk]
    # A call that clears the ERP id may also change the code.
    unlinked = row.values.get("origin_id") == ""
    if row.values.get("code", sub_job.code) == sub_job.code:
        return
    if sub_job.origin_id and not unlinked:
        row.refuse({"code": [KNOWN]})
    elif sub_job.pk in used:
        row.refuse({"code": [f"stays. {IN_BUDGET_CODE}"]})


def _refuse_taken(rows: Iterable[ValueRow], stored: Mapping[int, SubJob], column: str) -> None:
    """A value belongs to one sub job; if two rows want it, the first gets it."""
    holders: dict[str, object] = {
        _compared(column, getattr(sub_job, column)): sub_job.pk
        for sub_job in stored.values()
        if getattr(sub_job, column)
    }
    for row in rows:
        value = row.values.get(column, "")
        # A new row has no id yet, so the row itself stands for it.
        owner: object = row.pk or row
        if not value or row.errors:
            continue
        if holders.setdefault(_compared(column, value), owner) != owner:
            row.refuse({column: [ONCE.get(column, TAKEN).format(value)]})


def _compared(column: str, value: str) -> str:
    """The form in which values are compared; ERP ids are compared exactly."""
    return value if column == "origin_id" else key(value)


def _set(sub_job: SubJob, values: Mapping[str, str]) -> Changes:
    created = put(sub_job, values)
    # An unchanged row is written back as it is, with its revision.
    if created:
        sub_job.revision += 1
        sub_job.updated_at = timezone.now()
    return created


def _change_notes(
    project: Project, sub_job: SubJob, differences: Mapping[str, list[Json]]
) -> list[Note]:
    own = {name: pair for name, pair in differences.items() if name not in external_ids.COLUMNS}
    edited = [_note(project, sub_job, Verb.EDITED, own)] if own else []
    data = _project_data(project)
    return [*edited, *external_ids.notes(SUB_JOB, sub_job.pk, str(sub_job), differences, data=data)]


def _project_data(project: Project) -> dict[str, Json]:
    return {"project": str(project), "project_id": project.pk}


def _note(
    project: Project, sub_job: SubJob, verb: Verb, differences: Mapping[str, Json] | None = None
) -> Note:
    data = {**_project_data(project), **({"changes": dict(differences)} if differences else {})}
    return Note(SUB_JOB, sub_job.pk, str(sub_job), verb, data=data)

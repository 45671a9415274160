"""All writes to the sub jobs of projects.

Every function locks the project, so that two people who change its sub jobs wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from admin_wbs.errors import IN_BUDGET_CODE, INSTEAD, SegmentRefused, StaleItem
from admin_wbs.models import Segment, SubJob, WbsCodeItem
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.json_values import Json

SUB_JOB = "sub_job"
EDITABLE = ("code", "name")


def offered(project: Project) -> bool:
    """True if the project has sub jobs in its structure, or the account has enabled them."""
    kind = Segment.objects.filter(account=project.account_id, kind=Segment.Kind.SUB_JOB)
    # Either is enough: an account may switch sub jobs off after projects were given them.
    enabled = kind.filter(position__isnull=False).exists()
    return enabled or project.segments.filter(segment__kind=Segment.Kind.SUB_JOB).exists()


@transaction.atomic
def add(project: Project, *, code: str, name: str, by: User) -> SubJob:
    """Add a sub job.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises SegmentRefused: if the account has not enabled sub jobs.
    """
    _lock(project)
    if not offered(project):
        raise SegmentRefused("Sub Job is not enabled in the account's Work Breakdown Structure.")
    created = SubJob(project=project, code=code.strip(), name=name.strip())
    _check(created)
    created.save()
    _note(created, Verb.CREATED, by=by)
    return created


@transaction.atomic
def change(sub_job: SubJob, *, values: Mapping[str, str], seen: int, by: User) -> SubJob:
    """Change code, name or both; ``seen`` is the revision that the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises StaleItem: if somebody else has changed it since.
    :raises SegmentRefused: if it has been deleted, or its code cannot be changed.
    """
    stored = _stored(sub_job)
    if stored.revision != seen:
        raise StaleItem(
            f"{stored} was changed since you opened the page. Review the current version."
        )
    before = {name: getattr(stored, name) for name in EDITABLE}
    cleaned = {name: values[name].strip() for name in EDITABLE if name in values}
    changed = changes(before, cleaned)
    # As with a cost code that the ERP knows.
    if "code" in changed and stored.origin_id:
        raise SegmentRefused(f"The code of {stored} is known to another system and stays.")
    if "code" in changed and stored.in_wbs_codes.exists():
        raise SegmentRefused(f"The code of {stored} stays. {IN_BUDGET_CODE}")
    if changed:
        _write(stored, changed, by=by)
    return stored


@transaction.atomic
def switch(sub_job: SubJob, *, active: bool, by: User) -> SubJob:
    """Make it inactive (not offered any more) or active again.

    :raises SegmentRefused: if it has been deleted.
    """
    stored = _stored(sub_job)
    if stored.is_active != active:
        _write(stored, {"is_active": [not active, active]}, by=by)
    return stored


def delete_refusal(sub_job: SubJob) -> str | None:
    """Why a sub job cannot be deleted; None if it can."""
    if sub_job.origin_id:
        return "Another system knows it. Deactivate it instead."
    why = WbsCodeItem.objects.uses("sub_job", [sub_job.pk]).get(sub_job.pk)
    return f"{why} {INSTEAD}" if why else None


@transaction.atomic
def delete(sub_job: SubJob, *, by: User) -> None:
    """Delete a sub job that nothing uses. :raises SegmentRefused: with the reason."""
    stored = _stored(sub_job)
    why = delete_refusal(stored)
    if why:
        raise SegmentRefused(why)
    # Before the deletion, which takes the id off the row.
    _note(stored, Verb.DELETED, by=by)
    stored.delete()


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _stored(sub_job: SubJob) -> SubJob:
    """Lock the project and read the sub job. :raises SegmentRefused: if it was deleted."""
    _lock(sub_job.project)
    stored: SubJob | None = SubJob.objects.select_related("project").filter(pk=sub_job.pk).first()
    if stored is None:
        raise SegmentRefused(f"{sub_job} has been deleted.")
    return stored


def _check(sub_job: SubJob) -> None:
    """:raises ValidationError: by field."""
    # The unique values are compared below, for messages that name the holder.
    sub_job.full_clean(validate_constraints=False)
    others = SubJob.objects.filter(project=sub_job.project_id).exclude(pk=sub_job.pk)
    taken = {}
    if (holder := others.filter(code_key=sub_job.code_key).first()) is not None:
        taken["code"] = f"{sub_job.code} is taken by {holder.name}."
    if (holder := others.filter(name_key=sub_job.name_key).first()) is not None:
        taken["name"] = f"{sub_job.name} is the name of {holder.code} already."
    if taken:
        raise ValidationError(taken)


def _write(stored: SubJob, changed: Mapping[str, list[Json]], *, by: User) -> None:
    for name, (_old, new) in changed.items():
        setattr(stored, name, new)
    _check(stored)
    stored.revision += 1
    stored.save(update_fields=[*changed, "revision"])
    # By the database's clock, like every other time of a change.
    SubJob.objects.filter(pk=stored.pk).update(updated_at=Now())
    _note(stored, Verb.EDITED, by=by, data={"changes": dict(changed)})


def _note(sub_job: SubJob, verb: Verb, *, by: User, data: Mapping[str, Json] | None = None) -> None:
    more = {"project": str(sub_job.project), "project_id": sub_job.project_id, **(data or {})}
    note(
        sub_job.project.account_id,
        [Note(SUB_JOB, sub_job.pk, str(sub_job), verb, data=more)],
        by=by,
    )

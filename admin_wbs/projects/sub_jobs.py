"""All writes to the sub jobs of projects.

Every function holds the project, so that of two people who change its sub jobs one waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from admin_wbs.errors import IN_BUDGET_CODE, INSTEAD, SegmentRefused, StaleItem
from admin_wbs.models import Segment, SubJob, WbsCodeItem
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, changes, note

SUB_JOB = "sub_job"
EDITABLE = ("code", "name")


def offered(project: Project) -> bool:
    """Whether the project has sub jobs: in its structure, or since the account enabled them."""
    kind = Segment.objects.filter(account=project.account_id, kind=Segment.Kind.SUB_JOB)
    enabled = kind.filter(position__isnull=False).exists()
    return enabled or project.segments.filter(segment__kind=Segment.Kind.SUB_JOB).exists()


@transaction.atomic
def add(project: Project, *, code: str, name: str, by: User) -> SubJob:
    """A further sub job.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises SegmentRefused: where the account has not enabled sub jobs.
    """
    _lock(project)
    if not offered(project):
        raise SegmentRefused("Sub Job is not enabled in the account's Work Breakdown Structure.")
    made = SubJob(project=project, code=code.strip(), name=name.strip())
    _check(made)
    made.save()
    _note(made, "created", by=by)
    return made


@transaction.atomic
def change(one: SubJob, *, values: Mapping[str, str], seen: int, by: User) -> SubJob:
    """Change code, name or both; ``seen`` is the revision that the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises StaleItem: when somebody else has changed it since.
    :raises SegmentRefused: where it has been deleted, or its code cannot be changed.
    """
    stored = _stored(one)
    if stored.revision != seen:
        raise StaleItem(f"{stored} was changed since you opened the page. Look at it as it is now.")
    before = {name: getattr(stored, name) for name in EDITABLE}
    cleaned = {name: values[name].strip() for name in EDITABLE if name in values}
    changed = changes(before, cleaned)
    if "code" in changed and stored.origin_id:
        raise SegmentRefused(f"The code of {stored} is known to another system and stays.")
    if "code" in changed and stored.in_wbs_codes.exists():
        raise SegmentRefused(f"The code of {stored} stays. {IN_BUDGET_CODE}")
    if changed:
        _write(stored, changed, by=by)
    return stored


@transaction.atomic
def switch(one: SubJob, *, active: bool, by: User) -> SubJob:
    """Make it inactive, no longer offered, or active again. :raises SegmentRefused: when gone."""
    stored = _stored(one)
    if stored.is_active != active:
        _write(stored, {"is_active": [not active, active]}, by=by)
    return stored


def delete_refusal(one: SubJob) -> str:
    """Why a sub job cannot be deleted; empty where it can."""
    if one.origin_id:
        return "Another system knows it. Deactivate it instead."
    why = WbsCodeItem.objects.uses("sub_job", [one.pk]).get(one.pk)
    return f"{why} {INSTEAD}" if why else ""


@transaction.atomic
def delete(one: SubJob, *, by: User) -> None:
    """Delete a sub job that nothing uses. :raises SegmentRefused: with the reason."""
    stored = _stored(one)
    why = delete_refusal(stored)
    if why:
        raise SegmentRefused(why)
    _note(stored, "deleted", by=by)
    stored.delete()


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _stored(one: SubJob) -> SubJob:
    """As it is now, with its project held. :raises SegmentRefused: when it has gone."""
    _lock(one.project)
    stored: SubJob | None = SubJob.objects.select_related("project").filter(pk=one.pk).first()
    if stored is None:
        raise SegmentRefused(f"{one} has been deleted.")
    return stored


def _check(one: SubJob) -> None:
    """:raises ValidationError: by field."""
    one.full_clean(validate_constraints=False)
    others = SubJob.objects.filter(project=one.project_id).exclude(pk=one.pk)
    taken = {}
    if (holder := others.filter(code_key=one.code_key).first()) is not None:
        taken["code"] = f"{one.code} is taken by {holder.name}."
    if (holder := others.filter(name_key=one.name_key).first()) is not None:
        taken["name"] = f"{one.name} is the name of {holder.code} already."
    if taken:
        raise ValidationError(taken)


def _write(stored: SubJob, changed: Mapping[str, list[Any]], *, by: User) -> None:
    for name, (_old, new) in changed.items():
        setattr(stored, name, new)
    _check(stored)
    stored.revision += 1
    stored.save(update_fields=[*changed, "revision"])
    SubJob.objects.filter(pk=stored.pk).update(updated_at=Now())
    _note(stored, "edited", by=by, data={"changes": dict(changed)})


def _note(one: SubJob, verb: str, *, by: User, data: Mapping[str, Any] | None = None) -> None:
    more = {"project": str(one.project), "project_id": one.project_id, **(data or {})}
    note(one.project.account_id, [Note(SUB_JOB, one.pk, str(one), verb, data=more)], by=by)

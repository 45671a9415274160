"""Creating projects, and their settings, one by one or many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils import timezone

from erpbridge.access.form_digest import in_words
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, changes, note
from erpbridge.db.bulk_update import write_rows

ENTITY = "project"
AT_ONCE = 500
# Many were stored at once, for which Django sends no signal: ``account_id`` and ``project_ids``.
projects_created = Signal()


@dataclass(frozen=True)
class Settings:
    """What is configured about a project."""

    name: str
    number: str = ""
    is_active: bool = True
    use_with_erp: bool = False


@transaction.atomic
def create(settings: Settings, *, by: Access) -> Project:
    """A new project of the account; nobody but account admins sees it until given a level.

    :raises ValidationError: for a number that another project has.
    """
    project = Project(account=by.account)
    _store(project, settings)
    data = {"changes": {label: ["", word] for label, word in _words(project).items()}}
    note(by.account.pk, [_event(project, "created", data)], by=by.user)
    return project


@transaction.atomic
def configure(project_id: int, settings: Settings, *, by: Access) -> Project:
    """Save a project's settings.

    :raises ValidationError: for a number that another project has.
    """
    projects = Project.objects.filter(account=by.account).select_for_update()
    project: Project = projects.get(pk=project_id)
    before = _words(project)
    _store(project, settings)
    made = changes(before, _words(project))
    if made:
        note(by.account.pk, [_event(project, "changed", {"changes": made})], by=by.user)
    return project


@dataclass(frozen=True)
class Wanted:
    """A project to be stored: columns with values that were checked; ``pk`` is None for a new one.

    The columns are those of :class:`Settings`, and those that only the API sets.
    """

    pk: int | None
    values: Mapping[str, Any]


@transaction.atomic
def store_many(wanted: Sequence[Wanted], *, by: Access) -> list[Project]:
    """Create and change projects in a number of statements that grows only with the batches.

    :returns: the projects in the order of ``wanted``; no two of them name the same.
    :raises IntegrityError: where a number or an origin id is taken; nothing is stored then.
    """
    known = Project.objects.filter(
        account=by.account, pk__in=[one.pk for one in wanted if one.pk is not None]
    )
    stored = {one.pk: one for one in known.select_for_update(no_key=True).order_by("pk")}
    projects = [Project(account=by.account) if one.pk is None else stored[one.pk] for one in wanted]
    made = [_set(project, one.values) for project, one in zip(projects, wanted, strict=True)]
    new = [project for project, one in zip(projects, wanted, strict=True) if one.pk is None]
    changed = [one for one, differs in zip(projects, made, strict=True) if one.pk and differs]
    write_rows(changed, sorted({name for one in wanted for name in one.values}))
    Project.objects.filter(pk__in=[one.pk for one in changed]).update(updated_at=timezone.now())
    Project.objects.bulk_create(new, batch_size=AT_ONCE)
    if new:
        projects_created.send(
            Project, account_id=by.account.pk, project_ids=[one.pk for one in new]
        )
    created = {one.pk for one in new}
    events = [
        _event(project, "created" if project.pk in created else "changed", {"changes": differs})
        for project, differs in zip(projects, made, strict=True)
        if differs or project.pk in created
    ]
    note(by.account.pk, events, by=by.user)
    return projects


def _set(project: Project, values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Put the values on the row; what differs, for the history."""
    new = project.pk is None
    before = dict.fromkeys(_words(project), "") if new else _words(project)
    details = [name for name in values if name not in Settings.__dataclass_fields__]
    held = {name: _text(getattr(project, name)) for name in details}
    for name, value in values.items():
        setattr(project, name, value)
    after = {name: _text(getattr(project, name)) for name in details}
    return changes(before, _words(project)) | changes(held, after)


def _text(value: Any) -> str:
    return str(value or "")


def _store(project: Project, settings: Settings) -> None:
    for name, value in asdict(settings).items():
        setattr(project, name, value)
    project.updated_at = timezone.now()
    project.clean_fields()
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError as error:
        message = f"Another project of the account has the number {settings.number}."
        raise ValidationError({"number": message}) from error


def _words(project: Project) -> dict[str, str]:
    fields = Settings.__dataclass_fields__
    return in_words({name: getattr(project, name) for name in fields}, model=Project)


def _event(project: Project, verb: str, data: dict[str, Any]) -> Note:
    return Note(ENTITY, project.pk, str(project), verb, data=data)

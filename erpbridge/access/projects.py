"""Creating projects, and their settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.access.seen import in_words
from erpbridge.audit.record import Note, changes, note

ENTITY = "project"


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


def _store(project: Project, settings: Settings) -> None:
    for name, value in asdict(settings).items():
        setattr(project, name, value)
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

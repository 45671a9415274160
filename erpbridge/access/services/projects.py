"""Create projects and change their settings, one at a time or in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils import timezone

from erpbridge.access.form_digest import in_words
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.audit.services import Changes, Note, Verb, changes, note
from erpbridge.db.bulk_update import write_rows
from erpbridge.json_values import Json

ENTITY = "project"
# Rows per INSERT.
AT_ONCE = 500
# Sent after a bulk insert, for which Django sends no post_save; with ``account_id`` and
# ``project_ids``.
projects_created = Signal()


@dataclass(frozen=True)
class Settings:
    """The settings of a project."""

    name: str
    number: str = ""
    is_active: bool = True
    use_with_erp: bool = False


@transaction.atomic
def create(settings: Settings, *, by: Access) -> Project:
    """Create a project. Only account admins see it until somebody gets a level in it.

    :raises ValidationError: for a number that another project has.
    """
    project = Project(account=by.account)
    _store(project, settings)
    data = {"changes": {label: ["", text] for label, text in _words(project).items()}}
    note(by.account.pk, [_event(project, Verb.CREATED, data)], by=by.user)
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
    differences = changes(before, _words(project))
    if differences:
        note(by.account.pk, [_event(project, Verb.CHANGED, {"changes": differences})], by=by.user)
    return project


@dataclass(frozen=True)
class ProjectValues:
    """A project to save: validated column values; ``pk`` is None for a new one.

    The columns are those of :class:`Settings` and those that only the API sets.
    """

    pk: int | None
    values: Mapping[str, object]


@transaction.atomic
def store_many(wanted: Sequence[ProjectValues], *, by: Access) -> list[Project]:
    """Create and update projects in bulk, with a number of statements per batch, not per project.

    :returns: the projects in the order of ``wanted``, which must not name a project twice.
    :raises IntegrityError: when a number or an origin id is taken; nothing is saved then.
    """
    existing = Project.objects.filter(
        account=by.account, pk__in=[row.pk for row in wanted if row.pk is not None]
    )
    # Locked in the order of ids, to avoid deadlocks between two calls.
    stored = {row.pk: row for row in existing.select_for_update(no_key=True).order_by("pk")}
    projects = [Project(account=by.account) if row.pk is None else stored[row.pk] for row in wanted]
    differences = [_set(project, row.values) for project, row in zip(projects, wanted, strict=True)]
    new = [project for project, row in zip(projects, wanted, strict=True) if row.pk is None]
    changed = [
        project
        for project, difference in zip(projects, differences, strict=True)
        if project.pk and difference
    ]
    # Sorted, so that the same call makes the same statement.
    write_rows(changed, sorted({name for row in wanted for name in row.values}))
    changed_ids = [project.pk for project in changed]
    Project.objects.filter(pk__in=changed_ids).update(updated_at=timezone.now())
    Project.objects.bulk_create(new, batch_size=AT_ONCE)
    created_ids = [project.pk for project in new]
    if new:
        # Django sends no post_save for bulk_create.
        projects_created.send(Project, account_id=by.account.pk, project_ids=created_ids)
    created = set(created_ids)
    events = [
        _event(
            project,
            Verb.CREATED if project.pk in created else Verb.CHANGED,
            {"changes": difference},
        )
        for project, difference in zip(projects, differences, strict=True)
        if difference or project.pk in created
    ]
    note(by.account.pk, events, by=by.user)
    return projects


def _set(project: Project, values: Mapping[str, object]) -> Changes:
    """Set the values on the row. Return what differs, for the history."""
    new = project.pk is None
    before = dict.fromkeys(_words(project), "") if new else _words(project)
    details = [name for name in values if name not in Settings.__dataclass_fields__]
    details_before = {name: _text(getattr(project, name)) for name in details}
    for name, value in values.items():
        setattr(project, name, value)
    after = {name: _text(getattr(project, name)) for name in details}
    return changes(before, _words(project)) | changes(details_before, after)


def _text(value: object) -> str:
    return str(value or "")


def _store(project: Project, settings: Settings) -> None:
    for name, value in asdict(settings).items():
        setattr(project, name, value)
    project.updated_at = timezone.now()
    # Without the constraints, which the database checks below, concurrent requests included.
    project.clean_fields()
    try:
        # A savepoint, so that the caller's transaction survives a failed constraint.
        with transaction.atomic():
            project.save()
    except IntegrityError as error:
        message = f"Another project of the account has the number {settings.number}."
        raise ValidationError({"number": message}) from error


def _words(project: Project) -> dict[str, str]:
    fields = Settings.__dataclass_fields__
    return in_words({name: getattr(project, name) for name in fields}, model=Project)


def _event(project: Project, verb: Verb, data: Mapping[str, Json]) -> Note:
    return Note(ENTITY, project.pk, str(project), verb, data=data)

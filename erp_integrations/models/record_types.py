"""Interface of the record apps: what they provide so that their records can be sent to an ERP.

Each record type is an object with the methods of :class:`RecordType`, registered once with
:func:`register`. This module imports no record app.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.db import models
from django.db.models import Expression, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Now
from django.dispatch import Signal

from erp_integrations.adapters.base import Problem
from erp_integrations.models.states import OPEN
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.record_types import register_entity
from erpbridge.db.folded_fields import Folding, SearchField

# Sent with ``entity``, ``account_id`` and ``connected`` (:class:`Connected`), in the transaction in
# which a connection becomes the account's for a record type.
connection_activated = Signal()


@dataclass(frozen=True)
class Connected:
    """What a record app may know of the connection that the account uses for its records.

    ``label`` is the name of the ERP, ``name`` the name of the connection. ``updates``: whether the
    ERP accepts updates. ``erp_owns``: whether records are created in the ERP only. ``imports``:
    whether its records can be read. ``custom_segments``: whether its budget codes can have the
    account's own segments.
    """

    connection_id: int
    name: str
    label: str
    updates: bool
    erp_owns: bool
    imports: bool = False
    custom_segments: bool = False


class Sendable(Folding):
    """Base of the models whose records can be sent.

    The ERP columns repeat the active link and the state of the latest item, so that lists and
    filters need no join; only ``workflow.links.record_columns`` and ``workflow.transitions`` write
    them. A record is synced if and only if ``origin_id`` is set. A changed link also changes
    ``updated_at``, by which API clients find changed records.
    """

    origin_id = models.CharField("ERP ID", max_length=200, blank=True, editable=False)
    origin_code = models.CharField("ERP code", max_length=200, blank=True, editable=False)
    origin_text = SearchField("origin_id", "origin_code")
    origin_data = models.JSONField(default=dict, blank=True, editable=False)
    erp_state = models.CharField("ERP status", max_length=12, blank=True, editable=False)
    # Linked, and edited since the last export.
    drifted = models.BooleanField(default=False, editable=False)
    revision = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


def text_at(origin_data: str) -> Expression:
    """Return the text in a column of origin data, or null, as the database reads it."""
    return KeyTextTransform("text", origin_data)


@dataclass(frozen=True)
class Draft:
    """A record as it would be sent now."""

    record_id: int
    revision: int
    label: str
    payload: Mapping[str, object]
    parent_id: int | None = None
    depth: int = 0


@dataclass(frozen=True)
class FurtherPage:
    """A page of a record app that the lists of the ERP Integrations tool link to."""

    label: str
    href: str


class RecordType(Protocol):
    """A record type of a record app. ``entity`` is its name in the adapter contract."""

    entity: str
    label: str
    label_plural: str
    slug: str
    model: type[Sendable]
    unit: Literal["record", "list"]
    view_action: Permission
    send_action: Permission
    retrieve_action: Permission
    unlink_action: Permission

    def drafts(self, account_id: int, ids: Sequence[int]) -> list[Draft]:
        """Drafts of the records, in a fixed number of queries; unknown ids are left out."""
        ...

    def problems(self, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
        """Record id -> problems besides the manifest's rules, such as an inactive record."""
        ...

    def children(self, ids: Sequence[int]) -> models.QuerySet[Any]:
        """Direct children of records, each with its ``parent_id``; most types have none."""
        ...

    def told_apart_by(self, account_id: int, ids: Sequence[int]) -> dict[int, Mapping[str, str]]:
        """Details by which users tell records with similar names apart.

        Record id -> label -> text, with the same labels for all records, in a fixed number of
        queries.
        """
        ...

    def visible(self, access: Access) -> models.QuerySet[Sendable]:
        """The records that the user can see in a scope."""
        ...

    def url(self, account_id: int, record_id: int, project_id: int | None = None) -> str:
        """URL of the record's page, in a project's tool or the account's."""
        ...

    def list_url(self, account_id: int, project_id: int | None) -> str:
        """URL of the list that the records are sent from."""
        ...

    def further_pages(self, access: Access) -> Sequence[FurtherPage]:
        """Pages that the user can open besides the list of items; most types have none."""
        ...


_types: dict[str, RecordType] = {}


def register(record_type: RecordType) -> None:
    """Register a record type; call it once, in the app's ``ready()``."""
    _types[record_type.entity] = record_type
    register_entity(record_type.entity, record_type.label_plural)


def record_type(entity: str) -> RecordType:
    """The registered record type.

    :raises KeyError: for an unknown entity.
    """
    return _types[entity]


def existing(entity: str, account_id: int, ids: Collection[int]) -> set[int]:
    """Those of the ids that are records of the account, for apps that refer to other apps."""
    rows: models.QuerySet[models.Model] = record_type(entity).model._base_manager.all()
    return set(rows.filter(account=account_id, pk__in=ids).values_list("pk", flat=True))


def counted(kind: RecordType, number: int) -> str:
    """A count with the noun, such as "1 company" or "12 cost codes"."""
    noun = kind.label if number == 1 else kind.label_plural
    return f"{number:,} {noun.lower()}"


def by_type(rows: models.QuerySet[Any]) -> list[tuple[RecordType, int]]:
    """Number of items, or links, per record type."""
    counts = rows.order_by("entity").values_list("entity").annotate(models.Count("pk"))
    return [(record_type(entity), count) for entity, count in counts]


def in_words(counts: Sequence[tuple[RecordType, int]]) -> str:
    """Counts in words, such as "1 company and 12 cost codes"."""
    return " and ".join(counted(kind, count) for kind, count in counts)


def record_types() -> list[RecordType]:
    """All registered types, in the order of registration."""
    return list(_types.values())


def project_problem(project: Project) -> Problem | None:
    """Why nothing can be sent from this project, by its own settings; None if it can."""
    if not project.is_active:
        message = f"Project {project} is inactive. Its Admin can make it active in its settings."
        return Problem("project", "project_inactive", message)
    if not project.use_with_erp:
        message = (
            f"Project {project} is not used with the ERP. "
            "Its Admin can switch on Use with ERP in the project's settings."
        )
        return Problem("project", "project_not_in_erp", message)
    return None


def locked() -> Q:
    """Filter for records with an open item."""
    return Q(erp_state__in=sorted(OPEN))


def is_locked(record: Sendable) -> bool:
    """Whether this record has an open item; needs no query."""
    return record.erp_state in OPEN

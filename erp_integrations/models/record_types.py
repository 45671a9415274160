"""What a record app gives the seam so that its records can be sent to an ERP.

Imports nothing of erpbridge but the kernel and the adapter contract's values. A record type is one
object that satisfies :class:`RecordType`, registered once with :func:`register`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.dispatch import Signal

from erp_integrations.adapters.base import Problem
from erp_integrations.models.states import OPEN
from erpbridge.access.models import Project
from erpbridge.access.policy import Access
from erpbridge.access.record_types import register_entity
from erpbridge.db.folded_fields import Folding, SearchField

# Sent with ``entity``, ``account_id`` and ``connected`` (:class:`Connected`), in the transaction in
# which a connection becomes the account's for a record type.
connection_activated = Signal()


@dataclass(frozen=True)
class Connected:
    """What a record app may know of the connection that the account uses for its records.

    ``label`` is what the ERP is called, ``name`` what the account calls the connection;
    ``updates``: whether it takes changes of what it holds; ``erp_owns``: whether the records are
    made there only; ``imports``: whether it tells what it holds; ``custom_segments``: whether its
    budget codes can have segments of the account's own.
    """

    connection_id: int
    name: str
    label: str
    updates: bool
    erp_owns: bool
    imports: bool = False
    custom_segments: bool = False


class Sendable(Folding):
    """A record that can be sent. Only ``states.move()``, ``links`` and ``drift`` write the ERP
    columns.

    They repeat the active link and the state of the latest item, so that lists and filters need
    no join. A record is synced if and only if ``origin_id`` is set. Another link is a change of the
    record, for ``updated_at`` too: by it programs find what changed.
    """

    origin_id = models.CharField("ERP ID", max_length=200, blank=True, editable=False)
    origin_code = models.CharField("ERP code", max_length=200, blank=True, editable=False)
    origin_text = SearchField("origin_id", "origin_code")
    origin_data = models.JSONField(default=dict, blank=True, editable=False)
    erp_state = models.CharField("ERP status", max_length=12, blank=True, editable=False)
    # Linked, and edited since the ERP took it.
    drifted = models.BooleanField(default=False, editable=False)
    revision = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Draft:
    """A record as it would be sent now: what the approver will see and the ERP will get."""

    record_id: int
    revision: int
    label: str
    payload: Mapping[str, Any]
    parent_id: int | None = None
    depth: int = 0


@dataclass(frozen=True)
class FurtherPage:
    """A page of a record app to which the lists of the ERP Integrations tool lead too."""

    label: str
    href: str


class RecordType(Protocol):
    """Everything the engine knows of a record app. ``entity`` is the word of the contract."""

    entity: str
    label: str
    label_plural: str
    slug: str
    model: type[Sendable]
    unit: Literal["record", "list"]
    view_action: str
    send_action: str
    retrieve_action: str
    unlink_action: str

    def drafts(self, account_id: int, ids: Sequence[int]) -> list[Draft]:
        """The records as they stand, in a fixed number of queries; unknown ids are left out."""
        ...

    def problems(self, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
        """What forbids sending beyond the manifest's rules, such as an inactive record."""
        ...

    def children(self, ids: Sequence[int]) -> models.QuerySet[Any]:
        """What is right under some records, each with its ``parent_id``; most types have none."""
        ...

    def told_apart_by(self, account_id: int, ids: Sequence[int]) -> dict[int, Mapping[str, str]]:
        """What people tell records of like names apart by: record id -> label -> text.

        Every record has the same labels; in a fixed number of queries.
        """
        ...

    def visible(self, access: Access) -> models.QuerySet[Any]:
        """The records that the person can see in a scope."""
        ...

    def url(self, account_id: int, record_id: int, project_id: int | None = None) -> str:
        """The address of the record's page, in a project's tool or the account's."""
        ...

    def list_url(self, account_id: int, project_id: int | None) -> str:
        """The address of the list that the records are sent from."""
        ...

    def further_pages(self, access: Access) -> Sequence[FurtherPage]:
        """Pages that the person can open beside the list of what was sent; most types have none."""
        ...


_types: dict[str, RecordType] = {}


def register(record_type: RecordType) -> None:
    """Make a record type sendable; called once, when its app is ready."""
    _types[record_type.entity] = record_type
    register_entity(record_type.entity, record_type.label_plural)


def record_type(entity: str) -> RecordType:
    """The registered type. :raises KeyError: for an entity nobody registered."""
    return _types[entity]


def existing(entity: str, account_id: int, ids: Collection[int]) -> set[int]:
    """Those of the ids that are records of the account, for apps that refer to another's."""
    rows: models.QuerySet[Any] = record_type(entity).model._base_manager.all()
    return set(rows.filter(account=account_id, pk__in=ids).values_list("pk", flat=True))


def counted(kind: RecordType, number: int) -> str:
    """Such as "1 company" and "12 cost codes"."""
    noun = kind.label if number == 1 else kind.label_plural
    return f"{number:,} {noun.lower()}"


def by_type(rows: Any) -> list[tuple[RecordType, int]]:
    """How many items, or links, there are of which type."""
    found = rows.order_by("entity").values_list("entity").annotate(models.Count("pk"))
    return [(record_type(entity), count) for entity, count in found]


def in_words(counts: Sequence[tuple[RecordType, int]]) -> str:
    """Such as "1 company and 12 cost codes"."""
    return " and ".join(counted(kind, count) for kind, count in counts)


def record_types() -> list[RecordType]:
    """All registered types, in the order of registration."""
    return list(_types.values())


def project_problem(project: Project) -> Problem | None:
    """Why nothing can be sent from this project, as far as the project itself decides."""
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
    """The records that wait for accounting or are being exported."""
    return Q(erp_state__in=sorted(OPEN))


def is_locked(record: Sendable) -> bool:
    """Whether this record waits for accounting or is being exported; needs no query."""
    return record.erp_state in OPEN

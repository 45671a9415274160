"""Row locks, in the one order of docs/locks.md."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from erp_integrations.models import Connection
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erpbridge.db.batches import chunks


def lock_connections(found: QuerySet[Connection]) -> None:
    """First of all locks: whoever moves many items, or makes or ends links, holds their
    connections, by ids.
    """
    list(found.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def lock_connections_of(items: ItemQuerySet) -> None:
    """The same, of items."""
    ids = items.order_by().values_list("connection_id", flat=True).distinct()
    lock_connections(Connection.objects.filter(pk__in=list(ids)))


def lock_records(entity: str, ids: Iterable[int]) -> None:
    """Lock records in the order of their ids: an UPDATE alone takes them in whatever order."""
    rows = record_type(entity).model._base_manager.order_by("pk").select_for_update(no_key=True)
    for some in chunks(sorted(ids)):
        list(rows.filter(pk__in=some).values_list("pk"))

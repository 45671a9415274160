"""Row locks; for their order see docs/locks.md."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from erp_integrations.models import Connection
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erpbridge.db.batches import chunks


def lock_connections(connections: QuerySet[Connection]) -> None:
    """Lock connections in order of their ids, before their items and links are changed."""
    list(connections.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def lock_connections_of(items: ItemQuerySet) -> None:
    """Lock the connections of items."""
    ids = items.order_by().values_list("connection_id", flat=True).distinct()
    lock_connections(Connection.objects.filter(pk__in=list(ids)))


def lock_records(entity: str, ids: Iterable[int]) -> None:
    """Lock records in order of their ids, because an UPDATE locks them in any order."""
    rows = record_type(entity).model._base_manager.order_by("pk").select_for_update(no_key=True)
    for batch in chunks(sorted(ids)):
        list(rows.filter(pk__in=batch).values_list("pk"))

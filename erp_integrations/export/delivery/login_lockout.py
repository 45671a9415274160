"""Lockout of a polling ERP after several calls with wrong credentials, per connection.

Uses the limit and cool-off time of the login page. The count is in the database, so that all web
processes share it, also while Redis is down.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import F

from erp_integrations.clock import at_least, now
from erp_integrations.connections.services import note_event
from erp_integrations.models import Connection
from erp_integrations.models.connections import ConnectionEvent

logger = logging.getLogger(__name__)


def locked_for(connection: Connection) -> float:
    """Seconds until calls are answered again; 0 if the connection is not locked."""
    until = connection.inbound_locked_until
    return max(0.0, (until - now()).total_seconds()) if until else 0.0


@transaction.atomic
def count(connection: Connection) -> None:
    """Count a call with wrong credentials, and lock the connection at the limit."""
    rows = Connection.objects.filter(pk=connection.pk)
    rows.update(inbound_failures=F("inbound_failures") + 1)
    limit: int = settings.AXES_FAILURE_LIMIT
    logger.warning("connection %s: a call had the wrong credentials", connection.pk)
    # The setting is in hours.
    until = at_least(settings.AXES_COOLOFF_TIME * 3_600)
    locked = {"inbound_failures": 0, "inbound_locked_until": until}
    if rows.filter(inbound_failures__gte=limit).update(**locked):
        logger.warning("connection %s: %s in a row; it is locked", connection.pk, limit)
        note_event(connection, ConnectionEvent.INBOUND_LOCKED, by=None, calls=limit)

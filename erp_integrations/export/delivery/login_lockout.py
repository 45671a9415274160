"""Guessing at the password of an ERP that asks: counted per connection, and stopped for a while.

As many wrong ones in a row as lock a login lock the address, for as long. They are counted in the
database, so that all web processes count together, also while Redis is away.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import F

from erp_integrations.clock import at_least, now
from erp_integrations.connections.adapter_loading import ENTITY
from erp_integrations.models import Connection
from erpbridge.audit.services import Note, note

logger = logging.getLogger(__name__)


def locked_for(connection: Connection) -> float:
    """Seconds in which no call is answered; 0 where calls are."""
    until = connection.inbound_locked_until
    return max(0.0, (until - now()).total_seconds()) if until else 0.0


@transaction.atomic
def count(connection: Connection) -> None:
    """A call had the wrong credentials. What they were is kept nowhere."""
    rows = Connection.objects.filter(pk=connection.pk)
    rows.update(inbound_failures=F("inbound_failures") + 1)
    most: int = settings.AXES_FAILURE_LIMIT
    logger.warning("connection %s: a call had the wrong credentials", connection.pk)
    until = at_least(settings.AXES_COOLOFF_TIME * 3_600)
    locked = {"inbound_failures": 0, "inbound_locked_until": until}
    if rows.filter(inbound_failures__gte=most).update(**locked):
        logger.warning("connection %s: %s in a row; it is locked", connection.pk, most)
        one = Note(ENTITY, connection.pk, connection.name, "inbound_locked", data={"calls": most})
        note(connection.account_id, [one], by=None)

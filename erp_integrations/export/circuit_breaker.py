"""The breaker of a connection: after some failures in a row the ERP is left alone for a while."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from erp_integrations.adapters.base import Adapter, ErpError, ErrorClass
from erp_integrations.clock import Reading, after, at_least
from erp_integrations.connections import services as connection_services
from erp_integrations.export.backoff import LONGEST_WAIT
from erp_integrations.models import Connection, Halt

# After these no call can succeed until a person has mended something.
HALTS = {ErrorClass.AUTH_EXPIRED: Halt.LOGIN, ErrorClass.SETUP: Halt.SETUP}
# Errors that say something about the connection, not about the record.
CONNECTION_ERRORS = frozenset({ErrorClass.TRANSIENT, ErrorClass.THROTTLED, *HALTS})
# Seconds between two looks whether that has been mended.
PROBE = 60.0
THROTTLE_WAIT = 5.0


def is_resting(connection: Connection) -> bool:
    """Whether nothing may be asked of the ERP now: paused by a person, or resting."""
    found = Connection.objects.filter(pk=connection.pk, paused_at=None)
    return not found.exclude(breaker_until__gt=Reading()).exists()


def feed(connection: Connection, errors: Sequence[ErpError | None]) -> None:
    """Count one call to the ERP, whose commands ended so; None is one that succeeded."""
    rows = Connection.objects.filter(pk=connection.pk)
    failed = [one for one in errors if one is not None and one.cls in CONNECTION_ERRORS]
    by_class = {one.cls: one for one in failed}
    halting = next((one for one in failed if one.cls in HALTS), None)
    if halting is not None:
        connection_services.halt(connection, HALTS[halting.cls], message=halting.message)
        rows.update(breaker_until=after(PROBE))
    elif ErrorClass.THROTTLED in by_class:
        asked = by_class[ErrorClass.THROTTLED].retry_after
        rows.update(next_slot_at=at_least(asked or THROTTLE_WAIT))
    elif len(failed) < len(errors) or not errors:
        rows.exclude(breaker_failures=0).update(breaker_failures=0, breaker_until=None)
    else:
        rows.update(breaker_failures=F("breaker_failures") + 1)
        wait = breaker_wait(rows.values_list("breaker_failures", flat=True)[0])
        if wait is not None:
            rows.update(breaker_until=after(wait))


def probe(connection: Connection, adapter: Adapter) -> None:
    """See whether what halted the connection has been mended; if so, go on with what waits.

    One process looks at a time, and not before the last look's time is over.
    """
    due = Connection.objects.filter(pk=connection.pk).exclude(halted_for="")
    if not due.exclude(breaker_until__gt=Reading()).update(breaker_until=after(PROBE)):
        return
    if adapter.check().ok:
        connection_services.resume(connection, by=None)


BREAKER_AFTER = 5


BREAKER_FIRST_WAIT = 30.0


def breaker_wait(failures: int) -> float | None:
    """How long a connection rests after so many failures in a row; None while it may go on."""
    if failures < BREAKER_AFTER:
        return None
    return min(LONGEST_WAIT, BREAKER_FIRST_WAIT * float(2 ** min(failures - BREAKER_AFTER, 20)))

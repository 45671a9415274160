"""Circuit breaker of a connection: after several failed calls in a row, pause the calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F

from erp_integrations.adapters.base import Adapter, ErpError, ErrorClass
from erp_integrations.clock import Reading, after, at_least
from erp_integrations.connections import services as connection_services
from erp_integrations.export.backoff import LONGEST_WAIT
from erp_integrations.models import Connection, Halt

# After these errors no call can succeed until somebody fixes the login or the settings.
HALTS = {ErrorClass.AUTH_EXPIRED: Halt.LOGIN, ErrorClass.SETUP: Halt.SETUP}
# Errors of the connection, not of the record.
CONNECTION_ERRORS = frozenset({ErrorClass.TRANSIENT, ErrorClass.THROTTLED, *HALTS})
# Seconds between two probes of a halted connection.
PROBE = 60.0
THROTTLE_WAIT = 5.0


def is_resting(connection: Connection) -> bool:
    """Whether the ERP must not be called now: paused by a user, or the breaker is open."""
    stored = Connection.objects.annotate(now=Reading()).filter(pk=connection.pk).first()
    return stored is None or rests(stored, stored.now)


def rests(connection: Connection, now: datetime | None) -> bool:
    """:func:`is_resting` for a row that was just read, and the reading at that time."""
    if connection.paused_at is not None:
        return True
    until = connection.breaker_until
    # Without a clock nothing that waits is due.
    return until is not None and (now is None or until > now)


def record_results(connection: Connection, errors: Sequence[ErpError | None]) -> None:
    """Count the result of one call to the ERP.

    :param errors: one per command of the call; None for a command that succeeded.
    """
    rows = Connection.objects.filter(pk=connection.pk)
    failed = [error for error in errors if error is not None and error.cls in CONNECTION_ERRORS]
    by_class = {error.cls: error for error in failed}
    halting = next((error for error in failed if error.cls in HALTS), None)
    if halting is not None:
        # Besides the halt, so that the first probe comes after PROBE seconds.
        connection_services.halt(connection, HALTS[halting.cls], message=halting.message)
        rows.update(breaker_until=after(PROBE))
    # A rate limit is no failure: it moves the next slot and leaves the failure count as it is.
    elif ErrorClass.THROTTLED in by_class:
        retry_after = by_class[ErrorClass.THROTTLED].retry_after
        rows.update(next_slot_at=at_least(retry_after or THROTTLE_WAIT))
    # One command that was answered shows that the ERP works.
    elif len(failed) < len(errors) or not errors:
        rows.exclude(breaker_failures=0).update(breaker_failures=0, breaker_until=None)
    else:
        rows.update(breaker_failures=F("breaker_failures") + 1)
        wait = breaker_wait(rows.values_list("breaker_failures", flat=True)[0])
        if wait is not None:
            rows.update(breaker_until=after(wait))


def probe(connection: Connection, adapter: Adapter) -> None:
    """Check a halted connection, and resume it if the check passes.

    One process at a time, at most every ``PROBE`` seconds.
    """
    halted = Connection.objects.filter(pk=connection.pk).exclude(halted_for="")
    if not halted.exclude(breaker_until__gt=Reading()).update(breaker_until=after(PROBE)):
        return
    if adapter.check().ok:
        connection_services.resume(connection, by=None)


# Failed calls in a row that open the breaker, and the first wait in seconds.
BREAKER_AFTER = 5
BREAKER_FIRST_WAIT = 30.0


def breaker_wait(failures: int) -> float | None:
    """Seconds the breaker stays open after so many failures in a row; None while it is closed."""
    if failures < BREAKER_AFTER:
        return None
    return min(LONGEST_WAIT, BREAKER_FIRST_WAIT * float(2 ** min(failures - BREAKER_AFTER, 20)))

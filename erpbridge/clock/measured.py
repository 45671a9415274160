"""The measured clock: a lower bound of the elapsed time, independent of any wall clock.

Its reading is a database row that starts at the time of installation. Every exporting process
advances it about once a second, by the time that it has measured itself with ``time.monotonic()``
since it last saw the reading; the largest advance counts. If no process does so, the clock stands
still. So the reading is not the time of day, and falls behind over the years; only differences have
a meaning.

No advance is longer than ``STEP``. Hence, for any two moments and any number of processes, the
reading advances by at most the time that really passed plus one ``STEP``: each advance in between
began after the one before was visible in the database, and all but the first lie between the two
moments. ``at_least`` and ``ago`` add that ``STEP``, so that what waits for them may be late but is
never early. ``after`` may be up to a ``STEP`` early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import DateTimeField, ExpressionWrapper, Func, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from erpbridge.clock.models import Clock

# Longest advance in seconds.
STEP = 2.0


class Stopped(Exception):
    """The clock's row is missing, so that no wait would ever end."""


class Reading(Func):
    """SQL of the current reading; NULL without a row, so that nothing is due or expired then."""

    template = "(SELECT reading FROM clock_clock)"
    arity = 0
    output_field = DateTimeField()


def after(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """Return the reading in about ``seconds`` seconds; it may come up to a ``STEP`` early."""
    return ExpressionWrapper(
        Reading() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def at_least(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """Return a reading that comes no earlier than ``seconds`` seconds from now."""
    return after(seconds + STEP)


def ago(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """Return a reading that is at least ``seconds`` seconds old."""
    return after(-seconds - STEP)


def now() -> datetime:
    """Return the current reading."""
    return moment().reading


@dataclass(frozen=True)
class Moment:
    """Both clocks at the same moment."""

    wall: datetime
    reading: datetime

    def on_the_wall(self, reading: datetime) -> datetime:
        """Return the wall clock time of a reading, for people."""
        return self.wall + (reading - self.reading)

    def ahead(self, reading: datetime | None) -> datetime | None:
        """Return the wall clock time of a future reading; None for a past one."""
        if reading is None or reading <= self.reading:
            return None
        return self.on_the_wall(reading)


def moment() -> Moment:
    """Return both clocks.

    :raises Stopped: when the clock's row is missing.
    """
    # Both in one query, so that nothing passes between them.
    for wall, reading in Clock.objects.values_list(Now(), "reading"):
        return Moment(wall, reading)
    raise Stopped("The measured clock has no row. Run: manage.py migrate")


def start(using: str = "default") -> None:
    """Create the clock's row unless it exists."""
    clock, created = Clock.objects.using(using).get_or_create(pk=1, defaults={"reading": Now()})
    if created:
        # SQLite compares text: store the value as Python writes it, with microseconds.
        clock.refresh_from_db()
        clock.save()


class Hand:
    """Advances the clock for one process, by the time it has measured since its last reading.

    ``time.monotonic`` stops while the machine sleeps: what waits for the reading is then late, but
    never early. Use ``erpbridge.outgoing.uptime`` for what must not be late.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: tuple[datetime, float] | None = None

    def push(self) -> None:
        """Advance the clock, unless others have advanced it further. Never inside a transaction."""
        rows = Clock.objects.filter(pk=1)
        # A process that has just started has measured nothing yet.
        if self._seen is not None:
            reading, at = self._seen
            # Measured before the statement, whose own duration must not count twice.
            measured = timedelta(seconds=min(self._monotonic() - at, STEP))
            # A reading that went back was restored from a backup: leave it and start over from it.
            behind = rows.filter(reading__gte=reading, reading__lt=reading + measured)
            behind.update(reading=reading + measured)
        for reading in rows.values_list("reading", flat=True):
            # Taken after the query: the reading may have changed at any time before.
            self._seen = reading, self._monotonic()

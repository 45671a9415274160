"""The measured clock: how much time has passed at least, whatever any wall clock says.

Its reading is a row of the database, and begins at the time of the installation. Every process that
exports pushes it on, about once a second, by the time that *it* has measured with
``time.monotonic()`` since it last saw the reading; whoever pushes it furthest counts. While nobody
does, it stands still. So the reading says nothing about the time of day, and falls behind over the
years; only differences mean something.

No push is longer than ``STEP``. Hence, for any two moments and any number of processes: the reading
moves on by no more than the time that really passed between them, and one ``STEP``. For of the
pushes that make up the difference, each began after the one before was seen in the database, and
all but the first lie between the two moments. ``at_least`` and ``ago`` add that ``STEP``: what they
wait for is late, and never early. ``after`` is for what may as well come a ``STEP`` too soon.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, Func, Value
from django.db.models.functions import Now

from erpbridge.clock.models import Clock

# Seconds of the longest push.
STEP = 2.0


class Stopped(Exception):
    """The clock has no row, so nothing that waits for it ever ends."""


class Reading(Func):
    """What the clock reads; where it has no row, NULL, with which nothing is due or over."""

    template = "(SELECT reading FROM clock_clock)"
    arity = 0
    output_field = DateTimeField()


def after(seconds: float) -> ExpressionWrapper[Any]:
    """The reading in about so many seconds."""
    return ExpressionWrapper(
        Reading() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def at_least(seconds: float) -> ExpressionWrapper[Any]:
    """The reading at which surely so many seconds will have passed from now."""
    return after(seconds + STEP)


def ago(seconds: float) -> ExpressionWrapper[Any]:
    """What carries this reading, or an earlier one, is at least so many seconds old."""
    return after(-seconds - STEP)


def now() -> datetime:
    """What the clock reads."""
    return moment().reading


@dataclass(frozen=True)
class Moment:
    """Both clocks at the same moment."""

    wall: datetime
    reading: datetime

    def on_the_wall(self, reading: datetime) -> datetime:
        """When the measured clock will read so, or did, for people."""
        return self.wall + (reading - self.reading)

    def ahead(self, reading: datetime | None) -> datetime | None:
        """The same of a reading that has not come yet; else None."""
        if reading is None or reading <= self.reading:
            return None
        return self.on_the_wall(reading)


def moment() -> Moment:
    """What the database's wall clock and the measured clock read now. :raises Stopped:"""
    for wall, reading in Clock.objects.values_list(Now(), "reading"):
        return Moment(wall, reading)
    raise Stopped("The measured clock has no row. Run: manage.py migrate")


def start(using: str = "default") -> None:
    """Let the clock begin, unless it has."""
    found, begun = Clock.objects.using(using).get_or_create(pk=1, defaults={"reading": Now()})
    if begun:
        # SQLite compares text: from now on it is what Python writes, to the microsecond.
        found.refresh_from_db()
        found.save()


class Hand:
    """What one process has seen of the clock, and the time that it has measured since.

    By a clock that stops while the machine sleeps: what waits for the reading is late then, and
    never early. What must not be late goes by ``erpbridge.outgoing.uptime`` instead.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: tuple[datetime, float] | None = None

    def push(self) -> None:
        """Push the clock on, unless others have pushed it further. Never inside a transaction."""
        rows = Clock.objects.filter(pk=1)
        if self._seen is not None:
            reading, at = self._seen
            # Before the statement: how long that takes is known only to have been time.
            measured = timedelta(seconds=min(self._monotonic() - at, STEP))
            # One that reads less than it did has been restored from elsewhere: begin anew.
            behind = rows.filter(reading__gte=reading, reading__lt=reading + measured)
            behind.update(reading=reading + measured)
        for reading in rows.values_list("reading", flat=True):
            # After the answer: the reading may have changed at any time before.
            self._seen = reading, self._monotonic()

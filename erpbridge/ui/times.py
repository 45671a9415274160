"""Format times for pages: in the active time zone, with the zone's name."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache

from django.utils import formats, timezone

MOMENT, WITH_SECONDS, DAY = "M j, Y H:i", "M j, Y H:i:s", "M j, Y"


def format_time(moment: datetime, *, layout: str = MOMENT) -> str:
    """Format a time, such as "Nov 29, 2026 14:03 CET"."""
    return _format_in(timezone.get_current_timezone(), moment, layout)


# The rows of a list often share a time: that of the click that sent them.
@lru_cache(maxsize=1024)
def _format_in(zone: tzinfo, moment: datetime, layout: str) -> str:
    local = moment.astimezone(zone)
    return f"{formats.date_format(local, layout)} {local.tzname()}"

"""Format times for pages: in the active time zone, with the zone's name."""

from __future__ import annotations

from datetime import datetime

from django.utils import formats, timezone

MOMENT, WITH_SECONDS, DAY = "M j, Y H:i", "M j, Y H:i:s", "M j, Y"


def format_time(moment: datetime, *, layout: str = MOMENT) -> str:
    """Format a time, such as "Nov 29, 2026 14:03 CET"."""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, layout)} {local.tzname()}"

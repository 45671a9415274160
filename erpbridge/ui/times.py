"""Points in time as a page shows them: in the zone of who looks, and saying which zone that is."""

from __future__ import annotations

from datetime import datetime

from django.utils import formats, timezone

MOMENT, WITH_SECONDS, DAY = "M j, Y H:i", "M j, Y H:i:s", "M j, Y"


def shown(moment: datetime, *, layout: str = MOMENT) -> str:
    """Such as "Nov 29, 2026 14:03 CET"."""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, layout)} {local.tzname()}"

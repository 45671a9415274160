"""Tags of the components in templates/parts; loaded in every template."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from django import template
from django.db.models import Model
from django.template.loader import render_to_string
from heroicons.templatetags import heroicons

from erpbridge.ui import times
from erpbridge.ui.listing import Page

register = template.Library()

# Color must not be the only carrier of meaning: each color has an icon unless set otherwise.
BADGE_ICONS = {
    "blue": "clock",
    "yellow": "arrow-uturn-left",
    "green": "check-circle",
    "red": "exclamation-triangle",
    "gray": "minus-circle",
}
BANNER_ICONS = {
    "success": "check-circle",
    "info": "information-circle",
    "warning": "exclamation-triangle",
    "error": "x-circle",
}


@register.simple_tag
@lru_cache(maxsize=256)
def heroicon_mini(name: str, *, size: int, **attrs: str) -> str:
    """Render an icon; the library builds it anew each time, and a page has hundreds."""
    icon: str = heroicons.heroicon_mini(name, size=size, **attrs)
    return icon


@register.simple_tag
@lru_cache(maxsize=256)
def badge(label: str, color: str, icon: str = "") -> str:
    """Render a badge; a list has the same few in all its rows."""
    return render_to_string("parts/badge.html", {"label": label, "color": color, "icon": icon})


@register.filter
def badge_icon(color: str) -> str:
    """Return the icon of a badge of this color."""
    return BADGE_ICONS.get(color, BADGE_ICONS["gray"])


@register.filter
def banner_icon(kind: str) -> str:
    """Return the icon of a banner of this kind."""
    return BANNER_ICONS.get(kind, BANNER_ICONS["info"])


@register.filter
def banner_kind(message_tags: str) -> str:
    """Return the kind of banner for a Django message's tags."""
    return next((kind for kind in message_tags.split() if kind in BANNER_ICONS), "info")


@register.filter
def thousands(number: int) -> str:
    """Format a count as 10,000."""
    return f"{number:,}"


@register.filter
def moment(value: datetime | None, layout: str = times.MOMENT) -> str:
    """Format a time in the active time zone, with the zone's name; empty for None."""
    return times.format_time(value, layout=layout) if value else ""


@register.inclusion_tag("parts/sort_header.html")
def sort_header(page: Page[Model], name: str, label: str, css: str = "") -> dict[str, object]:
    """Render a column heading that sorts; a second click reverses the order."""
    active = page.sort == name
    return {
        "page": page,
        "label": label,
        "css": css,
        "active": active,
        "descending": active and page.descending,
        "asks_for": f"-{name}" if active and not page.descending else name,
    }


@register.inclusion_tag("parts/keep_query.html")
def keep_query(page: Page[Model], *replaced: str) -> dict[str, object]:
    """Render hidden inputs that keep the list's other parameters in a GET form."""
    pairs = [
        (name, value)
        for name, values in page.params.lists()
        if name not in replaced
        for value in values
    ]
    return {"kept": pairs}

"""What a service raises for a change that it does not make."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was changed; the text says why, and can be shown to the person who tried."""

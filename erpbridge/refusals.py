"""The exception that services raise for a change that they reject."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was changed; the message says why, and can be shown to the person."""

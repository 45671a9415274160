"""The exception that services raise for a change that they reject."""

from __future__ import annotations

# Of a value that only one record can have.
TAKEN = "has already been taken"


class Refused(Exception):
    """Nothing was changed; the message says why, and can be shown to the person."""

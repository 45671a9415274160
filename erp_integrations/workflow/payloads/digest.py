"""Digests of payloads: a decision is valid only for the revision that the user saw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson


def digest(payload: Mapping[str, object]) -> str:
    """Return the SHA-256 of the payload as hexadecimal digits."""
    # Keys are sorted, because PostgreSQL does not keep the order of keys in JSON columns.
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()

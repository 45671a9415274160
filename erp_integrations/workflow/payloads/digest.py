"""Fingerprints of what was sent, so that a decision is about exactly what was seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def digest(payload: Mapping[str, Any]) -> str:
    """SHA-256 of the payload in canonical JSON, as hexadecimal digits."""
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()

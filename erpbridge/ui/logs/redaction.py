"""Remove secrets from text that is stored, shown or logged, in any encoding."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MARK = "[secret]"
# Shorter secrets occur inside ordinary words, so they are only matched as whole words.
SHORT = 4
# HTTP credentials in any encoding.
CREDENTIALS = re.compile(r"(?i)\b(basic|bearer)\s+[a-z0-9+/_.~=-]{8,}")


class Redactor:
    """Replaces known secrets in text, and anything that looks like HTTP credentials."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first, so that of a secret that contains another no part stays.
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        patterns = [_pattern(form) for form in longest_first]
        self._known = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        if self._known is not None:
            text = self._known.sub(MARK, text)
        # Also those that this process has not read, such as a token in a request.
        return CREDENTIALS.sub(rf"\1 {MARK}", text)


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= SHORT else rf"(?<!\w){escaped}(?!\w)"


def _forms(secret: str) -> set[str]:
    """Return the secret in the encodings of URLs, JSON, HTML, Python and headers."""
    if not secret.strip():
        return set()
    coded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        secret.strip(),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
        coded,
        coded.rstrip("="),
    }


class _Hidden:
    """The secrets that this process has read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: frozenset[str] = frozenset()
        self.redactor = Redactor()

    def add(self, secrets: Iterable[str]) -> None:
        new = frozenset(secrets) - self._secrets
        # Adapters are started with the same secrets again and again, mostly without anything new.
        if new:
            with self._lock:
                self._secrets |= new
                self.redactor = Redactor(self._secrets)


_hidden = _Hidden()


def hide(secrets: Iterable[str]) -> None:
    """Redact these secrets in every line that this process logs from now on."""
    _hidden.add(secrets)


def redact_line(text: str) -> str:
    """Return ``text`` without any secret that this process has read."""
    return _hidden.redactor(text)

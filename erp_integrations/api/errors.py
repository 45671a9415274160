"""What a refused click answers: the reasons by field, with the status that says what to do."""

from __future__ import annotations

from collections.abc import Iterable

from erp_integrations.adapters.base import Problem
from erpbridge.rest.errors import ApiError

# The caller has an old picture: read again, then decide.
CONFLICTS = frozenset({"stale", "decided", "open", "not_sent"})
FORBIDDEN = frozenset({"own"})


def by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """``{field: [messages]}``."""
    found: dict[str, list[str]] = {}
    for one in problems:
        found.setdefault(one.field or "base", []).append(one.message)
    return found


def status_of(problems: Iterable[Problem]) -> int:
    """409 for an old picture, 403 for one's own item, 422 for a rule that is broken."""
    rules = {one.rule for one in problems}
    if rules & CONFLICTS:
        return 409
    return 403 if rules & FORBIDDEN else 422


def refused(problems: Iterable[Problem]) -> ApiError:
    """The answer to a click on one row that was not taken."""
    found = list(problems)
    return ApiError(status_of(found), by_field(found))


def conflict(message: str) -> ApiError:
    """409: it has moved on."""
    return ApiError(409, {"state": [message]})

"""Errors of refused actions: messages by field, and the status that says what to do next."""

from __future__ import annotations

from collections.abc import Iterable

from erp_integrations.adapters.base import Problem
from erpbridge.rest.errors import ApiError

# The caller has outdated data and has to read again (docs/api-clicks.md, "When it is refused").
CONFLICTS = frozenset({"stale", "decided", "open", "not_sent"})
# Nobody accepts what they sent themselves (docs/design/permissions.md, "The accounting approver").
FORBIDDEN = frozenset({"own"})


def by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Group the messages by field; those of no field are under ``base``."""
    messages: dict[str, list[str]] = {}
    for problem in problems:
        messages.setdefault(problem.field or "base", []).append(problem.message)
    return messages


def status_of(problems: Iterable[Problem]) -> int:
    """Return 409 for an outdated read, 403 for the caller's own item, 422 for a broken rule."""
    rules = {problem.rule for problem in problems}
    # A conflict first: the caller has to read the item again before anything else.
    if rules & CONFLICTS:
        return 409
    return 403 if rules & FORBIDDEN else 422


def refused(problems: Iterable[Problem]) -> ApiError:
    """Return the error for an action on a single row that was refused."""
    all_problems = list(problems)
    return ApiError(status_of(all_problems), by_field(all_problems))


def conflict(message: str) -> ApiError:
    """Return a 409 error: the item is no longer in the state that the caller has read."""
    return ApiError(409, {"state": [message]})

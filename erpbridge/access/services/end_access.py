"""Signal that a person's API tokens must end: rights were lowered, or the password changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.dispatch import Signal

from erpbridge.access.form_digest import LEVEL_FIELDS
from erpbridge.access.models import Account, Membership, User

# Sent inside the transaction of the change with ``user_id``, ``account_id`` (None: all accounts),
# ``why`` (completes the sentence "Ended: ...") and ``by`` (None: the operator).
access_ended = Signal()
RIGHTS = ("is_active", "can_push_to_accounting", "rights", *LEVEL_FIELDS)


def end_everywhere(user_id: int, *, why: str, by: User | None) -> None:
    """End the API tokens of a person in every account."""
    access_ended.send(User, user_id=user_id, account_id=None, why=why, by=by)


def end_if_lowered(
    membership: Membership, before: Mapping[str, Any], after: Mapping[str, Any], *, by: User
) -> None:
    """End the API tokens of a person in one account if a change removed a right.

    ``before`` and ``after`` are states of :mod:`erpbridge.access.form_digest`.
    """
    # A right that is added ends nothing: a program asks for its rights in each call.
    if not any(_is_lower(before[name], after[name]) for name in RIGHTS if name in after):
        return
    active = after.get("is_active", True)
    why = "a right was lowered" if active else "the person was deactivated in this account"
    account: int = membership.account_id
    access_ended.send(Account, user_id=membership.user_id, account_id=account, why=why, by=by)


def _is_lower(before: Any, after: Any) -> bool:
    """Compare levels, flags, or mappings of flag pairs per record type (any of them is enough)."""
    if isinstance(after, Mapping):
        return any(_is_lower(before[key], pair) for key, pair in after.items())
    if isinstance(after, list):
        return any(new < old for old, new in zip(before, after, strict=True))
    return bool(after < before)

"""The programs that act for a person: which there are, and how they end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from erpbridge.access.models import Account, Membership, User
from erpbridge.access.services import people as people_services
from erpbridge.audit.services import note
from erpbridge.oauth import tokens
from erpbridge.oauth.models import Application, Code, Token

ENDED = "programs ended"
BY_HAND = "a person ended it"


@dataclass(frozen=True)
class Program:
    """An application that may act for a person now."""

    application: Application
    since: datetime
    used_at: datetime


def acting_for(user: User, account: Account | None = None) -> list[Program]:
    """By name; of all accounts, or of one. A service account acts for nobody but itself."""
    alive = Q(ended_at=None, expires_at__gt=timezone.now())
    found = Token.objects.filter(user=user, application__service=None, application__deleted_at=None)
    if account is not None:
        found = found.filter(application__account=account)
    rows = found.values("application").annotate(
        alive=Count("pk", filter=alive),
        since=Min("granted_at", filter=alive),
        used_at=Max("used_at"),
    )
    held = {row["application"]: row for row in rows if row["alive"]}
    applications = Application.objects.filter(pk__in=held).select_related("account")
    return [
        Program(one, held[one.pk]["since"], held[one.pk]["used_at"])
        for one in applications.order_by("name", "pk")
    ]


def name_of_former(user: User, application_id: int, account: Account | None = None) -> str | None:
    """What a program is called that acted for a person, and may not any more; None for others."""
    found = Token.objects.filter(user=user, application=application_id, application__service=None)
    if account is not None:
        found = found.filter(application__account=account)
    names = found.values_list("application__name", flat=True)
    return str(names[0]) if names else None


@transaction.atomic
def end(
    user_id: int,
    *,
    why: str = BY_HAND,
    by: User | None,
    account_id: int | None = None,
    application_id: int | None = None,
) -> int:
    """End tokens and codes of a person, of one account or program or of all; audited.

    :returns: how many programs could act, and cannot any more.
    """
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    theirs = Q(user=user_id)
    if account_id is not None:
        theirs &= Q(application__account=account_id)
    if application_id is not None:
        theirs &= Q(application=application_id)
    now = timezone.now()
    codes = Code.objects.filter(theirs, used_at=None, expires_at__gt=now)
    live = Token.objects.filter(theirs, ended_at=None)
    acting = live.filter(expires_at__gt=now).values("application")
    ended = list(
        Application.objects.filter(Q(pk__in=acting) | Q(pk__in=codes.values("application")))
    )
    codes.update(used_at=now)
    tokens.end(live)
    _tell(user_id, ended, why, by)
    return len(ended)


def end_with_access(
    *, user_id: int, account_id: int | None, why: str, by: User | None, **_signal: Any
) -> None:
    """The person may do less, or has another password: see ``access/people/end_access.py``."""
    end(user_id, why=why, by=by, account_id=account_id)


def _tell(user_id: int, ended: list[Application], why: str, by: User | None) -> None:
    """In the history of the person, in each account whose programs ended."""
    accounts = {one.account_id for one in ended}
    members = Membership.objects.filter(user=user_id, account__in=accounts).select_related("user")
    for member in members:
        told = {
            f"Program {one.name}": ["Acts for the person", f"Ended: {why}"]
            for one in ended
            if one.account_id == member.account_id
        }
        note(member.account_id, [people_services.event(member, ENDED, {"changes": told})], by=by)

"""The programs that act for a person: list them and end them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
    """An application that can act for a person now."""

    application: Application
    since: datetime
    used_at: datetime


def acting_for(user: User, account: Account | None = None) -> list[Program]:
    """Return the programs sorted by name, of all accounts or of one; no service accounts."""
    alive = Q(ended_at=None, expires_at__gt=timezone.now())
    # A service account acts as itself, so it is nobody's program.
    tokens_of_user = Token.objects.filter(
        user=user, application__service=None, application__deleted_at=None
    )
    if account is not None:
        tokens_of_user = tokens_of_user.filter(application__account=account)
    rows = tokens_of_user.values("application").annotate(
        alive=Count("pk", filter=alive),
        since=Min("granted_at", filter=alive),
        # Of all tokens, because one that has ended meanwhile may have been used last.
        used_at=Max("used_at"),
    )
    row_of = {row["application"]: row for row in rows if row["alive"]}
    applications = Application.objects.filter(pk__in=row_of).select_related("account")
    return [
        Program(application, row_of[application.pk]["since"], row_of[application.pk]["used_at"])
        for application in applications.order_by("name", "pk")
    ]


def name_of_former(user: User, application_id: int, account: Account | None = None) -> str | None:
    """Return the name of a program that once acted for a person; None if it never did."""
    tokens_of_user = Token.objects.filter(
        user=user, application=application_id, application__service=None
    )
    if account is not None:
        tokens_of_user = tokens_of_user.filter(application__account=account)
    names = tokens_of_user.values_list("application__name", flat=True)
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
    """End tokens and codes of a person, limited to an account or program if given.

    The change is recorded in the person's history.

    :returns: the number of programs that could act until now.
    """
    # The same lock as in tokens._admitted(), so that no token is issued meanwhile.
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    selection = Q(user=user_id)
    if account_id is not None:
        selection &= Q(application__account=account_id)
    if application_id is not None:
        selection &= Q(application=application_id)
    now = timezone.now()
    # Codes too, because they could still be exchanged for tokens.
    codes = Code.objects.filter(selection, used_at=None, expires_at__gt=now)
    live = Token.objects.filter(selection, ended_at=None)
    acting = live.filter(expires_at__gt=now).values("application")
    ended = list(
        Application.objects.filter(Q(pk__in=acting) | Q(pk__in=codes.values("application")))
    )
    codes.update(used_at=now)
    tokens.end(live)
    _record(user_id, ended, why, by)
    return len(ended)


def end_with_access(
    *, user_id: int, account_id: int | None, why: str, by: User | None, **_signal: object
) -> None:
    """End the programs when rights are lowered or a password changes.

    A receiver of the signal in ``access/services/end_access.py``.
    """
    end(user_id, why=why, by=by, account_id=account_id)


def _record(user_id: int, ended: list[Application], reason: str, by: User | None) -> None:
    """Record the change in the person's history, in each account with ended programs."""
    accounts = {application.account_id for application in ended}
    members = Membership.objects.filter(user=user_id, account__in=accounts).select_related("user")
    for member in members:
        ended_programs = {
            f"Program {application.name}": ["Acts for the person", f"Ended: {reason}"]
            for application in ended
            if application.account_id == member.account_id
        }
        note(
            member.account_id,
            [people_services.event(member, ENDED, {"changes": ended_programs})],
            by=by,
        )

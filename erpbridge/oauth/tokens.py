"""Giving out, exchanging, ending and recognising codes and tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from erpbridge.access.models import Membership, User
from erpbridge.oauth.models import Application, Code, Token

ACCESS_SECONDS = 5400
CODE_SECONDS = 600
# How long a rotated refresh token may come again without harm: clients that renew at once race, and
# some lose an answer and ask again.
RACE = timedelta(seconds=60)
# A refresh token that nobody uses for so long is worth nothing any more.
UNUSED = timedelta(days=90)
# Ended tokens are of use for as long as somebody may still present them by mistake.
KEPT = timedelta(days=90)
MOST_CLEARED = 1_000
# How exactly is kept when a token was used; a program that is busy costs one write in that time.
USED_WITHIN = timedelta(minutes=10)


class Refused(Exception):
    """A request of an application that is not granted: ``error`` is RFC 6749's word."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status
        super().__init__(description)


@dataclass(frozen=True)
class Given:
    """What an application is told, once."""

    access: str
    refresh: str
    created_at: datetime


def digest(secret: str) -> str:
    """What is stored of something secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def issue(application: Application, user: User, *, refresh: bool = True) -> Given:
    """A new access token and, with ``refresh``, the token to renew it with.

    :raises Refused: for somebody who may not enter the application's account (any more).
    """
    with transaction.atomic():
        if _admitted(application, user.pk) is None:
            raise _invalid("The person may not enter the application's account any more.")
        return _issue(application, user, family=uuid.uuid4(), refresh=refresh)


def _issue(
    application: Application,
    user: User,
    *,
    family: uuid.UUID,
    granted_at: datetime | None = None,
    refresh: bool = True,
) -> Given:
    """For a person whom the caller has found :func:`_admitted`."""
    now = timezone.now()
    expires = {Token.Kind.ACCESS: now + timedelta(seconds=ACCESS_SECONDS)}
    if refresh:
        expires[Token.Kind.REFRESH] = now + UNUSED
    secrets_of = {kind: new_secret() for kind in expires}
    Token.objects.bulk_create(
        Token(
            kind=kind,
            digest=digest(secrets_of[kind]),
            application=application,
            user=user,
            family=family,
            created_at=now,
            granted_at=granted_at or now,
            used_at=now,
            expires_at=expires[kind],
        )
        for kind in expires
    )
    return Given(secrets_of[Token.Kind.ACCESS], secrets_of.get(Token.Kind.REFRESH, ""), now)


def _admitted(application: Application, user_id: int) -> User | None:
    """The person, where they may enter the application's account.

    Under a lock on the login: whoever ends what acts for the person waits for the tokens that are
    given out here, or is over before and seen.
    """
    person = User.objects.select_for_update(no_key=True).filter(pk=user_id, is_active=True).first()
    held = Membership.objects.active().filter(user=user_id, account=application.account_id)
    return person if held.exists() else None


def new_code(application: Application, user: User, *, redirect_uri: str, challenge: str) -> str:
    """A code that ``user`` lets ``application`` exchange for tokens.

    :raises Refused: where the session that asks ended while it did, or the membership.
    """
    code = new_secret()
    with transaction.atomic():
        person = _admitted(application, user.pk)
        if person is None or person.password != user.password:
            raise Refused("access_denied", "The person has no access any more.")
        Code.objects.create(
            digest=digest(code),
            application=application,
            user=user,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=timezone.now() + timedelta(seconds=CODE_SECONDS),
        )
    return code


def redeem(application: Application, code: str, *, redirect_uri: str, verifier: str) -> Given:
    """Tokens for a code.

    :raises Refused: for a code that is unknown, used, expired, another application's, or that came
        with another redirect URI or verifier. A used one ends what it was exchanged for: two
        parties hold it (RFC 6749, 4.1.2).
    """
    found = Code.objects.filter(digest=digest(code), application=application)
    row = found.select_related("user").first()
    if row is None or not row.user.is_active:
        raise _invalid("The authorization code is invalid.")
    if row.used_at is not None:
        end_family(row.family)
        raise _invalid("The authorization code was used already.")
    if row.expires_at <= timezone.now():
        raise _invalid("The authorization code has expired.")
    if row.redirect_uri != redirect_uri:
        raise _invalid("The redirect_uri is not the one that the code was given for.")
    if row.challenge and not _verified(row.challenge, verifier):
        raise _invalid("The code_verifier does not match the code_challenge.")
    with transaction.atomic():
        person = _admitted(application, row.user_id)
        if person and found.filter(used_at=None).update(used_at=timezone.now()):
            return _issue(application, person, family=row.family)
    end_family(row.family)
    raise _invalid("The authorization code was used already.")


def _verified(challenge: str, verifier: str) -> bool:
    hashed = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    return constant_time_compare(expected, challenge)


def renew(application: Application, refresh: str) -> Given:
    """New tokens for a refresh token, which ends with the access token beside it.

    A token that comes a second time is refused, and ends its whole family: somebody else may hold
    it, and nobody can tell which of the two is the application (RFC 9700, 2.2.2 and 4.14.2). Within
    a minute of its rotation it is only refused: of processes that renew at once one wins, and what
    it was given stays good. The same answer is never given twice: it would serve a thief as well.

    :raises Refused: for a token that is unknown, used or revoked.
    """
    known = Token.objects.filter(kind=Token.Kind.REFRESH, application=application)
    row = known.filter(digest=digest(refresh)).first()
    if row is None:
        raise _invalid("The refresh token is invalid.")
    if row.expires_at <= timezone.now():
        raise _invalid("The refresh token has expired: it was not used for 90 days.")
    with transaction.atomic():
        person = _admitted(application, row.user_id)
        # All of them first, by ids, as who ends them does.
        family = Token.objects.filter(family=row.family).order_by("pk")
        list(family.select_for_update().values_list("pk"))
        mine = Token.objects.filter(pk=row.pk, ended_at=None)
        if person and mine.update(ended_at=timezone.now()):
            end_family(row.family)
            return _issue(application, person, family=row.family, granted_at=row.granted_at)
    if row.ended_at is not None and row.ended_at < timezone.now() - RACE:
        end_family(row.family)
    raise _invalid("The refresh token is invalid.")


def end_family(family: uuid.UUID) -> None:
    """End every token of one grant."""
    end(Token.objects.filter(family=family))


@transaction.atomic
def end_all(application: Application) -> int:
    """End every token and code of an application; returns how many tokens."""
    application.codes.filter(used_at=None).update(used_at=timezone.now())
    return end(Token.objects.filter(application=application))


@transaction.atomic
def end(found: QuerySet[Token]) -> int:
    """End those that are alive; returns how many.

    Locked in one order, so that of two who end overlapping ones neither waits for the other.
    """
    alive = found.filter(ended_at=None)
    ids = list(alive.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Token.objects.filter(pk__in=ids, ended_at=None).update(ended_at=timezone.now())


def revoke(token: str, *, application: Application | None) -> None:
    """End a token and all of its family; nothing for one that is unknown, or another's."""
    found = Token.objects.filter(digest=digest(token))
    if application is not None:
        found = found.filter(application=application)
    row = found.first()
    if row is not None:
        end_family(row.family)


def read(access: str) -> Token | None:
    """The access token with its application and person, None where it opens nothing (any more)."""
    held = Membership.objects.active().filter(
        user=OuterRef("user"), account=OuterRef("application__account")
    )
    found = Token.objects.filter(
        Exists(held),
        kind=Token.Kind.ACCESS,
        digest=digest(access),
        ended_at=None,
        expires_at__gt=timezone.now(),
        application__deleted_at=None,
    )
    return found.select_related("application", "user").first()


def used(token: Token) -> None:
    """Remember that a program showed its access token."""
    now = timezone.now()
    if token.used_at < now - USED_WITHIN:
        Token.objects.filter(pk=token.pk).update(used_at=now)


def clear_old() -> None:
    """Forget codes and tokens that nobody presents even by mistake any more; some at a time."""
    for model in (Code, Token):
        old = model.objects.filter(expires_at__lt=timezone.now() - KEPT)
        ids = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_CLEARED])
        if ids:
            model.objects.filter(pk__in=ids).delete()


def _invalid(description: str) -> Refused:
    return Refused("invalid_grant", description)

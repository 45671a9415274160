"""Giving out, exchanging, ending and recognising codes and tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from erpbridge.access.models import User
from erpbridge.oauth.models import Application, Code, Token

ACCESS_SECONDS = 5400
CODE_SECONDS = 600
# How long a rotated refresh token may come again without harm: clients that renew at once race, and
# some lose an answer and ask again.
RACE = timedelta(seconds=60)
# Ended tokens are of use for as long as somebody may still present them by mistake.
KEPT = timedelta(days=90)


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


def issue(
    application: Application, user: User, *, family: uuid.UUID | None = None, refresh: bool = True
) -> Given:
    """A new access token and, with ``refresh``, the token to renew it with."""
    now = timezone.now()
    family = family or uuid.uuid4()
    access = new_secret()
    renewal = new_secret() if refresh else ""
    expires = now + timedelta(seconds=ACCESS_SECONDS)
    rows = [_row(Token.Kind.ACCESS, access, application, user, family, now, expires)]
    if renewal:
        rows.append(_row(Token.Kind.REFRESH, renewal, application, user, family, now, None))
    Token.objects.filter(expires_at__lt=now - KEPT).delete()
    Token.objects.bulk_create(rows)
    return Given(access, renewal, now)


def _row(
    kind: str,
    secret: str,
    application: Application,
    user: User,
    family: uuid.UUID,
    now: datetime,
    expires: datetime | None,
) -> Token:
    return Token(
        kind=kind,
        digest=digest(secret),
        application=application,
        user=user,
        family=family,
        created_at=now,
        expires_at=expires,
    )


def new_code(application: Application, user: User, *, redirect_uri: str, challenge: str) -> str:
    """A code that ``user`` lets ``application`` exchange for tokens."""
    code = new_secret()
    Code.objects.filter(expires_at__lt=timezone.now() - KEPT).delete()
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
        if found.filter(used_at=None).update(used_at=timezone.now()):
            return issue(application, row.user, family=row.family)
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
    row = known.filter(digest=digest(refresh)).select_related("user").first()
    if row is None or not row.user.is_active:
        raise _invalid("The refresh token is invalid.")
    with transaction.atomic():
        if Token.objects.filter(pk=row.pk, ended_at=None).update(ended_at=timezone.now()):
            end_family(row.family)
            return issue(application, row.user, family=row.family)
    if row.ended_at is not None and row.ended_at < timezone.now() - RACE:
        end_family(row.family)
    raise _invalid("The refresh token is invalid.")


def end_family(family: uuid.UUID) -> None:
    """End every token of one grant."""
    Token.objects.filter(family=family, ended_at=None).update(ended_at=timezone.now())


def end_all(application: Application) -> int:
    """End every token and code of an application; returns how many tokens."""
    now = timezone.now()
    application.codes.filter(used_at=None).update(used_at=now)
    return application.tokens.filter(ended_at=None).update(ended_at=now)


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
    found = Token.objects.filter(
        kind=Token.Kind.ACCESS,
        digest=digest(access),
        ended_at=None,
        expires_at__gt=timezone.now(),
        application__deleted_at=None,
        user__is_active=True,
    )
    return found.select_related("application", "user").first()


def _invalid(description: str) -> Refused:
    return Refused("invalid_grant", description)

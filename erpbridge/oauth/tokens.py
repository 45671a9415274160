"""Issue, exchange, verify and end codes and tokens."""

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
# How long a rotated refresh token may be reused without ending the grant: clients race to renew,
# and some lose a response and retry.
RACE = timedelta(seconds=60)
# A refresh token expires after this time without use.
UNUSED = timedelta(days=90)
# How long expired codes and tokens are kept, to recognize reuse.
KEPT = timedelta(days=90)
MOST_CLEARED = 1_000
# Precision of ``used_at``; limits the writes for a busy client.
USED_WITHIN = timedelta(minutes=10)


class Refused(Exception):
    """A rejected OAuth request; ``error`` is the code of RFC 6749."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error, self.description, self.status = error, description, status
        super().__init__(description)


@dataclass(frozen=True)
class IssuedTokens:
    """The tokens in a response; they cannot be read again later."""

    access: str
    refresh: str
    created_at: datetime


def digest(secret: str) -> str:
    """Return the hash under which a secret is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def issue(application: Application, user: User, *, refresh: bool = True) -> IssuedTokens:
    """Issue an access token and, with ``refresh``, a refresh token.

    :raises Refused: when the person may not enter the application's account (any more).
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
) -> IssuedTokens:
    """Issue tokens for a person whom the caller has found :func:`_admitted`."""
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
    return IssuedTokens(secrets_of[Token.Kind.ACCESS], secrets_of.get(Token.Kind.REFRESH, ""), now)


def _admitted(application: Application, user_id: int) -> User | None:
    """Return the person if they may enter the application's account.

    Takes a lock on the login, so that ending a person's access either waits for the tokens issued
    here or is committed before and visible.
    """
    person = User.objects.select_for_update(no_key=True).filter(pk=user_id, is_active=True).first()
    memberships = Membership.objects.active().filter(user=user_id, account=application.account_id)
    return person if memberships.exists() else None


def new_code(application: Application, user: User, *, redirect_uri: str, challenge: str) -> str:
    """Create a code that ``application`` can exchange for tokens of ``user``.

    :raises Refused: when the session or the membership ended during the request.
    """
    code = new_secret()
    with transaction.atomic():
        person = _admitted(application, user.pk)
        # A changed password ends sessions, but this request began before.
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


def redeem(
    application: Application, code: str, *, redirect_uri: str, verifier: str
) -> IssuedTokens:
    """Exchange a code for tokens.

    :raises Refused: for a code that is unknown, used, expired, of another application, or sent with
        another redirect URI or verifier. Reuse ends the tokens it was exchanged for, since two
        parties have the code (RFC 6749, 4.1.2).
    """
    codes = Code.objects.filter(digest=digest(code), application=application)
    row = codes.select_related("user").first()
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
        # A conditional UPDATE, so that of two concurrent requests only one gets tokens.
        if person and codes.filter(used_at=None).update(used_at=timezone.now()):
            return _issue(application, person, family=row.family)
    end_family(row.family)
    raise _invalid("The authorization code was used already.")


def _verified(challenge: str, verifier: str) -> bool:
    hashed = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    return constant_time_compare(expected, challenge)


def renew(application: Application, refresh: str) -> IssuedTokens:
    """Exchange a refresh token for new tokens. The old access and refresh tokens end.

    A reused token is rejected and ends its whole family: somebody else may have it, and it is
    unknown which of the two is the application (RFC 9700, 2.2.2 and 4.14.2). Within ``RACE`` of its
    rotation it is only rejected: when processes renew at the same time, one succeeds and its new
    tokens stay valid. The same response is never returned twice, since a thief could use it too.

    :raises Refused: for a token that is unknown, used, expired or revoked.
    """
    refresh_tokens = Token.objects.filter(kind=Token.Kind.REFRESH, application=application)
    row = refresh_tokens.filter(digest=digest(refresh)).first()
    if row is None:
        raise _invalid("The refresh token is invalid.")
    if row.expires_at <= timezone.now():
        raise _invalid("The refresh token has expired: it was not used for 90 days.")
    with transaction.atomic():
        person = _admitted(application, row.user_id)
        # Lock the whole family in the order of ids, as ``end`` does, to avoid deadlocks.
        family = Token.objects.filter(family=row.family).order_by("pk")
        list(family.select_for_update().values_list("pk"))
        live_row = Token.objects.filter(pk=row.pk, ended_at=None)
        if person and live_row.update(ended_at=timezone.now()):
            end_family(row.family)
            return _issue(application, person, family=row.family, granted_at=row.granted_at)
    # As it was read before the lock: a rotation meanwhile is a race, not a reuse.
    if row.ended_at is not None and row.ended_at < timezone.now() - RACE:
        end_family(row.family)
    raise _invalid("The refresh token is invalid.")


def end_family(family: uuid.UUID) -> None:
    """End every token of one grant."""
    end(Token.objects.filter(family=family))


@transaction.atomic
def end_all(application: Application) -> int:
    """End every token and code of an application. Return the number of tokens."""
    application.codes.filter(used_at=None).update(used_at=timezone.now())
    return end(Token.objects.filter(application=application))


@transaction.atomic
def end(selection: QuerySet[Token]) -> int:
    """End the tokens that have not ended. Return how many.

    Rows are locked in the order of ids, so that two overlapping calls cannot deadlock.
    """
    alive = selection.filter(ended_at=None)
    ids = list(alive.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Token.objects.filter(pk__in=ids, ended_at=None).update(ended_at=timezone.now())


def revoke(token: str, *, application: Application | None) -> None:
    """End a token and its family; does nothing for an unknown token or another application's."""
    # Either kind of token, whatever the caller calls it (RFC 7009, 2.1).
    rows = Token.objects.filter(digest=digest(token))
    if application is not None:
        rows = rows.filter(application=application)
    row = rows.first()
    if row is not None:
        end_family(row.family)


def read(access: str) -> Token | None:
    """Return the access token with its application and person, or None if it is not valid."""
    memberships = Membership.objects.active().filter(
        user=OuterRef("user"), account=OuterRef("application__account")
    )
    rows = Token.objects.filter(
        # Asked in each call, so that a person who leaves the account has no access at once.
        Exists(memberships),
        kind=Token.Kind.ACCESS,
        digest=digest(access),
        ended_at=None,
        expires_at__gt=timezone.now(),
        application__deleted_at=None,
    )
    return rows.select_related("application", "user").first()


def used(token: Token) -> None:
    """Record that an access token was used."""
    now = timezone.now()
    if token.used_at < now - USED_WITHIN:
        Token.objects.filter(pk=token.pk).update(used_at=now)


def clear_old() -> None:
    """Delete codes and tokens that expired long ago, up to ``MOST_CLEARED`` per call."""
    for model in (Code, Token):
        old = model.objects.filter(expires_at__lt=timezone.now() - KEPT)
        # Limited, so that the first call after a long pause does not hold up a tick.
        ids = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_CLEARED])
        if ids:
            model.objects.filter(pk__in=ids).delete()


def _invalid(description: str) -> Refused:
    return Refused("invalid_grant", description)

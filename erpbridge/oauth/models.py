"""Applications of an account, and what they are given to act for somebody.

Nothing secret is stored: secrets, codes and tokens are random and 256 bits long, so that a plain
SHA-256 of each is enough to know it again and tells nobody what it was.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account, Membership
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, SearchField


class Application(Folding):
    """A program that may call the API of one account.

    With a ``service`` membership it is a service account, which acts as itself (client
    credentials); without one it acts for the people who allow it (authorization code).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="applications")
    name = models.CharField("Name", max_length=100)
    search_text = SearchField("name")
    uid = models.CharField("Client ID", max_length=64, unique=True, editable=False)
    secret_digest = models.CharField(max_length=64, editable=False)
    redirect_uris = models.JSONField("Redirect URIs", default=list, blank=True)
    service = models.OneToOneField(
        Membership, null=True, on_delete=models.PROTECT, related_name="application"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # The row stays, for the history names what the application did.
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = FoldingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "name", "id"], name="application_list")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_service(self) -> bool:
        """Whether it acts as itself."""
        return self.service_id is not None


class Code(models.Model):
    """An authorization code: ten minutes, once."""

    digest = models.CharField(max_length=64, unique=True)
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="codes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    redirect_uri = models.CharField(max_length=2000)
    # S256 of the verifier that has to come with the code; empty where none was asked for.
    challenge = models.CharField(max_length=128, blank=True)
    family = models.UUIDField(default=uuid.uuid4)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Token(models.Model):
    """An access or a refresh token. All that came of one grant share a ``family``.

    A token that was rotated, revoked or replaced has ended; the row stays, so that a refresh token
    that comes a second time is known for what it is.
    """

    class Kind(models.TextChoices):
        """What the token is for."""

        ACCESS = "access"
        REFRESH = "refresh"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    digest = models.CharField(max_length=64, unique=True)
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    family = models.UUIDField(db_index=True)
    created_at = models.DateTimeField()
    # When the person allowed the grant that it came of.
    granted_at = models.DateTimeField()
    # When it was given out or last shown, to within ten minutes.
    used_at = models.DateTimeField()
    # A refresh token that is not used until then is worth nothing; each renewal gives a new one.
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="token_expiry")]

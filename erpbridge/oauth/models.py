"""Applications of an account, and their codes and tokens.

Only hashes are stored: secrets, codes and tokens are random and 256 bits long, so that a plain
SHA-256 is enough to verify them and cannot be reversed.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account, Membership
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, SearchField


class Application(Folding):
    """An API client of one account.

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
    # The row stays after deletion, because histories name the application.
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = FoldingQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["account", "name", "id"], name="application_list")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_service(self) -> bool:
        """Whether it is a service account."""
        return self.service_id is not None


class Code(models.Model):
    """An authorization code: valid for ten minutes, and once."""

    digest = models.CharField(max_length=64, unique=True)
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="codes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    redirect_uri = models.CharField(max_length=2000)
    # S256 of the verifier that must come with the code; empty if PKCE is not used.
    challenge = models.CharField(max_length=128, blank=True)
    family = models.UUIDField(default=uuid.uuid4)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Token(models.Model):
    """An access or a refresh token. All tokens of one grant share a ``family``.

    Rotated, revoked and replaced tokens get ``ended_at``; the row stays, so that a reused refresh
    token is recognized.
    """

    class Kind(models.TextChoices):
        """Access or refresh token."""

        ACCESS = "access"
        REFRESH = "refresh"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    digest = models.CharField(max_length=64, unique=True)
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    family = models.UUIDField(db_index=True)
    created_at = models.DateTimeField()
    # When the person allowed the grant of this family.
    granted_at = models.DateTimeField()
    # When it was issued or last used, accurate to ten minutes.
    used_at = models.DateTimeField()
    # An unused refresh token expires then; each renewal issues a new one.
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="token_expiry")]

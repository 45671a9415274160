"""Stored responses of calls with an idempotency key."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Remembered(models.Model):
    """A call with an idempotency key: in progress while ``status`` is empty, then its response."""

    application = models.ForeignKey("oauth.Application", on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    # Hash of method, URL and body, to detect that a key is reused for another request.
    fingerprint = models.CharField(max_length=64)
    started_reading = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField(default=bytes)
    # Empty for a response without a body.
    media_type = models.CharField(max_length=127, db_default="application/json")
    etag = models.CharField(max_length=127, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "user", "key"], name="one_answer_per_idempotency_key"
            )
        ]
        indexes = [models.Index(fields=["started_reading"], name="idempotency_age")]

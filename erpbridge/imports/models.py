"""An uploaded file between the upload page and its confirmation."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account


class FileImport(models.Model):
    """An uploaded file; nothing of it is imported before a person confirms it.

    ``rows`` holds ``Line.as_json`` of each row until then, ``notice`` a message about how the file
    was read, and ``result`` what the import did.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)
    file_name = models.CharField(max_length=255)
    header = models.JSONField(default=list)
    rows = models.JSONField(default=list)
    notice = models.CharField(max_length=255, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        abstract = True

"""Imports of companies from files."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account, Project


class CompanyImport(models.Model):
    """An uploaded file of companies; nothing is written to the Directory before confirmation.

    ``rows`` holds ``Line.as_json`` of each row until then. ``columns`` maps columns of the file to
    fields, ``country_code`` applies to rows without a country, and ``notice`` is a message about
    how the file was read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, null=True, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)
    file_name = models.CharField(max_length=255)
    header = models.JSONField(default=list)
    rows = models.JSONField(default=list)
    columns = models.JSONField(default=dict)
    country_code = models.CharField(max_length=2, blank=True)
    notice = models.CharField(max_length=255, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)

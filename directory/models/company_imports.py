"""Imports of companies from files."""

from __future__ import annotations

from django.db import models

from erpbridge.access.models import Project
from erpbridge.imports.models import FileImport


class CompanyImport(FileImport):
    """An uploaded file of companies; nothing is written to the Directory before confirmation.

    ``columns`` maps columns of the file to fields, ``country_code`` applies to rows without a
    country.
    """

    project = models.ForeignKey(Project, null=True, on_delete=models.PROTECT, related_name="+")
    columns = models.JSONField(default=dict)
    country_code = models.CharField(max_length=2, blank=True)

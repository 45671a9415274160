"""Files of the file delivery."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from erp_integrations.models.connections import Connection
from erp_integrations.models.fields import by_person


class ExportFile(models.Model):
    """A file of items that a user imports into the ERP, stored as it was made.

    Its items are SUBMITTED with :attr:`handle` until a user confirms the file.
    """

    HANDLE: ClassVar[str] = "file:"

    class Verdict(models.TextChoices):
        """How the file was confirmed."""

        RESULT = "result", "By the ERP's result file"
        IDS = "ids", "By a list of IDs"
        ALL = "all", "All imported"
        NONE = "none", "Nothing was imported"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="export_files"
    )
    entity = models.CharField(max_length=30)
    name = models.CharField(max_length=150)
    content_type = models.CharField(max_length=100)
    content = models.BinaryField()
    count = models.PositiveIntegerField()
    made_by = by_person(null=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    confirmed_by = by_person()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["connection", "-id"], name="export_file_latest")]

    def __str__(self) -> str:
        return self.name

    @property
    def handle(self) -> str:
        """The ``handle`` of its items."""
        return f"{self.HANDLE}{self.public_id}"

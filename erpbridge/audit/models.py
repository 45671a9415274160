"""The audit event. Rows are only inserted: triggers reject UPDATE and DELETE."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class EventQuerySet(models.QuerySet["Event"]):
    """Audit events."""

    def about(self, account_id: int, entity: str, subject_id: int) -> EventQuerySet:
        """Return the history of one record, newest first."""
        events = self.filter(account=account_id, entity=entity, subject_id=subject_id)
        return events.select_related("actor").order_by("-id")


class Event(models.Model):
    """One event of one subject."""

    account = models.ForeignKey("access.Account", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    entity = models.CharField(max_length=30)
    # No foreign key: the subject may be of any table, and may be deleted later.
    subject_id = models.BigIntegerField()
    label = models.CharField(max_length=255)
    verb = models.CharField(max_length=40)
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20, blank=True)
    note = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        indexes = [
            # In the order of a history, newest first.
            models.Index(fields=["account", "entity", "subject_id", "-id"], name="audit_of_subject")
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.label}"

"""The one row of the measured clock; only ``measured`` writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Clock(models.Model):
    """The current reading of the measured clock. It looks like a date, but is not one."""

    reading = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_clock")]

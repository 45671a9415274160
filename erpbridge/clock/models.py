"""The one row of the measured clock; ``measured`` alone writes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Clock(models.Model):
    """What the measured clock reads: looks like a date, and is none."""

    reading = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_clock")]

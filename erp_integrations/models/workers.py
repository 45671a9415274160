"""Heartbeats of the worker processes, and the time of the last tick."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Ticker(models.Model):
    """A single row with the last tick, by which the processes agree who makes the next."""

    ran_at = models.DateTimeField(db_default=Now())
    # The same moment by the measured clock, which decides when the next tick is due.
    ran_reading = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_ticker")]


class Worker(models.Model):
    """Heartbeat of a worker process, written by its ticker."""

    name = models.CharField(max_length=100, unique=True)
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name

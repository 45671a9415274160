"""The one table of background jobs; ``work`` and ``starting`` alone write it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from erpbridge.access.models import Account, Project
from erpbridge.jobs.querysets import JobQuerySet


class Job(models.Model):
    """One piece of work in the background.

    ``subject`` names what is worked on: of a kind, only one job at a time has the same. ``notes``
    is what the kind remembers between two chunks. ``tries`` counts the workers that took the job
    since its last finished chunk; ``fence`` those that ever did, and the last one is the owner.
    """

    class State(models.TextChoices):
        """Where a job stands."""

        QUEUED = "queued", "Waiting to begin"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Stopped"

    LIVE = (State.QUEUED, State.RUNNING)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=50)
    subject = models.CharField(max_length=100)
    title = models.CharField(max_length=200)
    # Where its page leads back to, an address of this site.
    back = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    args = models.JSONField(default=dict)
    notes = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    # Why it stopped or, of a job that waits, why the last worker could not go on.
    problem = models.TextField(blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    # By the measured clock.
    lease_until = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=Q(state__in=["queued", "running"]),
                name="one_live_job_per_subject",
            )
        ]
        indexes = [
            models.Index(fields=["account", "subject", "-id"], name="job_of_subject"),
            models.Index(
                fields=["id"], condition=Q(state__in=["queued", "running"]), name="job_live"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        """Whether it waits or is being worked on."""
        return self.state in self.LIVE

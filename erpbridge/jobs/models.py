"""The table of background jobs; only ``run`` and ``start`` write it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from erpbridge.access.models import Account, Project
from erpbridge.jobs.querysets import JobQuerySet


class Job(models.Model):
    """One background job.

    ``subject`` names what is worked on: only one live job per kind and subject exists at a time.
    ``notes`` is the kind's state between two chunks. ``tries`` counts the workers that took the job
    since its last finished chunk; ``fence`` counts all that ever took it, and identifies the owner.
    """

    class State(models.TextChoices):
        """State of a job."""

        QUEUED = "queued", "Waiting to start"
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
    # Path that the job's page links back to.
    back = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    args = models.JSONField(default=dict)
    notes = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    # Why it failed or, for a queued job, why the last worker could not continue.
    problem = models.TextField(blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    # On the measured clock (erpbridge.clock.measured).
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
        """Whether it is queued or running."""
        return self.state in self.LIVE

"""Connections, and which of them an account uses for which record type."""

from __future__ import annotations

import uuid

from django.core.validators import BaseValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account

# Minimum and maximum of the limits of a connection.
RATES = (1, 100_000)
IN_FLIGHT = (1, 1_000)


def _within(label: str, least: int, most: int) -> list[BaseValidator]:
    """Validators whose message names the field and both limits."""
    message = f"{label} must be a whole number from {least} to {most:,}."
    return [MinValueValidator(least, message), MaxValueValidator(most, message)]


class ConnectionEvent(models.TextChoices):
    """What happens to a connection; the verbs of its audit events."""

    CREATED = "connection_created"
    ACTIVATED = "connection_activated"
    CHANGED = "connection_changed"
    TESTED = "connection_tested"
    REFRESHED = "connection_refreshed"
    PAUSED = "connection_paused"
    RESUMED = "connection_resumed"
    # After too many wrong passwords of the ERP's agent.
    INBOUND_LOCKED = "inbound_locked"
    FILE_MADE = "file_made"
    FILE_CONFIRMED = "file_confirmed"
    DEFAULT_ADDED = "default_added"
    DEFAULT_REMOVED = "default_removed"


class Halt(models.TextChoices):
    """Why the engine paused a connection; it resumes the connection when a probe succeeds."""

    LOGIN = "login", "The ERP refuses the login"
    SETUP = "setup", "The ERP cannot be called as it is set up"


class Connection(models.Model):
    """An account's connection to an ERP: an adapter with its settings."""

    # In the URL that a polling ERP calls.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="connections")
    name = models.CharField("Name", max_length=100)
    adapter = models.CharField("Adapter", max_length=50)
    config = models.JSONField(default=dict)
    # Setting name -> encrypted value; see ``erp_integrations.connections.secrets``.
    secrets = models.JSONField(default=dict, blank=True)
    max_in_flight = models.PositiveSmallIntegerField(
        "Most at once",
        null=True,
        blank=True,
        help_text="Empty: as many as the adapter's batches and concurrency allow.",
        validators=_within("Most at once", *IN_FLIGHT),
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=300, blank=True)
    # Empty if a user paused it.
    halted_for = models.CharField(max_length=10, choices=Halt.choices, blank=True, default="")
    rate_per_minute = models.PositiveIntegerField(
        "Commands a minute",
        null=True,
        blank=True,
        help_text="Empty: what the adapter declares.",
        validators=_within("Commands a minute", *RATES),
    )
    # Reading of the measured clock, like ``breaker_until`` and ``inbound_locked_until``.
    next_slot_at = models.DateTimeField(null=True, blank=True)
    breaker_failures = models.PositiveIntegerField(default=0)
    breaker_until = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_result = models.JSONField(default=dict)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    refresh_problem = models.TextField(blank=True)
    # Polled delivery: the ERP's last call.
    asked_at = models.DateTimeField(null=True, blank=True)
    # Number of started fetches of the ERP's records; see ``ErpRecord.seen_in_fetch``.
    fetches = models.PositiveIntegerField(default=0)
    # Polled delivery: calls in a row with wrong credentials, and until when the ERP is locked out.
    inbound_failures = models.PositiveIntegerField(default=0)
    inbound_locked_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="connection_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ActiveConnection(models.Model):
    """The connection that an account uses for a record type."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    entity = models.CharField(max_length=30)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="active_for")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "entity"], name="one_active_connection_per_type"
            )
        ]

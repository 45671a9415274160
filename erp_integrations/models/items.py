"""Clicks, the acceptance items that they move, and the tries to export these."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from erp_integrations.models.connections import Connection
from erp_integrations.models.fields import by_person
from erp_integrations.models.querysets import AttemptQuerySet, ItemQuerySet
from erp_integrations.models.states import BEFORE_ACCEPTANCE, IN_AIR, OPEN, State
from erpbridge.access.models import Account, Project
from erpbridge.db.folded_fields import Folding, KeyField, SearchField
from erpbridge.db.text import LONGEST_KEY


class Request(models.Model):
    """One click on many rows: who, what, how many, and why rows were refused.

    The accept clicks are what Procore's API calls ERP requests.
    """

    class Verb(models.TextChoices):
        """What was clicked."""

        SEND = "send", "Send to ERP"
        RETRIEVE = "retrieve", "Retrieve from ERP"
        ACCEPT = "accept", "Accept"
        REJECT = "reject", "Reject"
        RETRY = "retry", "Retry"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, null=True, on_delete=models.PROTECT, related_name="+")
    entity = models.CharField(max_length=30)
    verb = models.CharField(max_length=10, choices=Verb.choices)
    by = by_person(null=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    done = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list)
    # The id of the HTTP request, under which the log tells what became of the click.
    trace_id = models.CharField(max_length=64, blank=True)


class Item(Folding):
    """An acceptance item: one revision of one record on its way into one ERP.

    It points at its record by entity and id, without a foreign key, and keeps a label, so that
    the record apps stay unknown here and history survives whatever happens to the record.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="items")
    project = models.ForeignKey(Project, null=True, on_delete=models.PROTECT, related_name="+")
    entity = models.CharField(max_length=30)
    record_id = models.BigIntegerField()
    label = models.CharField(max_length=255)
    operation = models.CharField(max_length=10)
    revision = models.PositiveIntegerField()
    payload = models.JSONField()
    digest = models.CharField(max_length=64)
    erp_key = models.CharField(max_length=200, blank=True)
    # How the key is compared where the ERP does not tell letters by their case.
    erp_key_folded = KeyField("erp_key")
    # How this ERP compares the key (``workflow/payloads/erp_keys.py``), written at acceptance.
    erp_key_compared = models.CharField(max_length=LONGEST_KEY, blank=True)
    acceptance = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.READY)
    intent = models.UUIDField(null=True)
    sent_in = models.ForeignKey(
        Request, null=True, on_delete=models.PROTECT, related_name="sent_items"
    )
    request = models.ForeignKey(Request, null=True, on_delete=models.PROTECT, related_name="items")
    # Of records that form a tree: the parent record, and whether the item waits until it is linked.
    parent_id = models.BigIntegerField(null=True)
    waits_for = models.BigIntegerField(null=True)
    depth = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    # By the measured clock, as is ``check_after``.
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    looks = models.PositiveSmallIntegerField(default=0)
    handle = models.CharField(max_length=200, blank=True)
    check_after = models.DateTimeField(null=True)
    erp_id = models.CharField(max_length=200, blank=True)
    erp_code = models.CharField(max_length=200, blank=True)
    search_text = SearchField("label", "erp_key", "erp_code", "erp_id")
    erp_version = models.CharField(max_length=200, blank=True)
    error_class = models.CharField(max_length=20, blank=True)
    error_field = models.CharField(max_length=100, blank=True)
    error_text = models.TextField(blank=True)
    error_advice = models.TextField(blank=True)
    # What the sender says to whoever decides.
    note = models.TextField(blank=True)
    sent_by = by_person(null=False)
    sent_at = models.DateTimeField(db_default=Now())
    decided_by = by_person()
    decided_at = models.DateTimeField(null=True)
    # The fence at that moment: tries above it belong to the decision.
    decided_fence = models.PositiveIntegerField(default=0)
    decision_note = models.TextField(blank=True)
    settled_at = models.DateTimeField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "entity", "record_id"],
                condition=Q(state__in=sorted(OPEN)),
                name="one_open_item",
            ),
            models.UniqueConstraint(
                fields=["connection", "entity", "erp_key_compared"],
                condition=Q(state__in=sorted(IN_AIR)) & ~Q(erp_key_compared=""),
                name="one_key_in_air",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.SYNCED) | ~Q(erp_id=""), name="synced_has_erp_id"
            ),
            models.CheckConstraint(
                condition=Q(state=State.SENDING, lease_until__isnull=False)
                | (~Q(state=State.SENDING) & Q(lease_until__isnull=True)),
                name="lease_iff_sending",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(BEFORE_ACCEPTANCE)) | Q(intent__isnull=False),
                name="intent_once_accepted",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "entity", "state", "-id"], name="item_queue"),
            models.Index(
                fields=["connection", "depth", "id"],
                condition=Q(state=State.QUEUED, waits_for__isnull=True),
                name="item_due",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(state=State.SENDING), name="item_lease"
            ),
            models.Index(
                fields=["check_after"],
                condition=Q(state__in=[State.SUBMITTED, State.UNCERTAIN]),
                name="item_check",
            ),
            models.Index(
                fields=["connection", "entity", "waits_for"],
                condition=Q(waits_for__isnull=False),
                name="item_waiting",
            ),
            models.Index(fields=["entity", "record_id", "-id"], name="item_of_record"),
            models.Index(fields=["connection", "state", "decided_at"], name="item_counts"),
        ]

    def __str__(self) -> str:
        return self.label


class Attempt(models.Model):
    """One try, stored before anything leaves the machine.

    An open attempt without an answer is the evidence that the effect is unknown.
    """

    class Outcome(models.TextChoices):
        """What is known of the try. LATE: answered after the item was given to another."""

        OPEN = "open"
        APPLIED = "applied"
        NOT_APPLIED = "not_applied"
        UNCERTAIN = "uncertain"
        LOST = "lost"
        LATE = "late"

    # Nobody knows, or nobody knew in time, what these did in the ERP.
    UNKNOWN = (Outcome.OPEN, Outcome.UNCERTAIN, Outcome.LOST, Outcome.LATE)

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="tries")
    fence = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    opened_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)
    # The same moments by the measured clock, which decides what may still take effect.
    opened_reading = models.DateTimeField()
    answered_reading = models.DateTimeField(null=True)
    first_look = models.CharField(max_length=10, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.OPEN)
    error_class = models.CharField(max_length=20, blank=True)
    erp_id = models.CharField(max_length=200, blank=True)
    answer_excerpt = models.TextField(blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "fence"], name="one_attempt_per_fence")
        ]
        indexes = [models.Index(fields=["opened_at"], name="attempt_recent")]

    @property
    def took(self) -> float | None:
        """Seconds from the claim to the answer, by the database's clock; None without one."""
        if self.answered_at is None:
            return None
        return (self.answered_at - self.opened_at).total_seconds()

"""Bulk requests, acceptance items, and attempts to export them."""

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
from erpbridge.access.policy import Access
from erpbridge.db.folded_fields import Folding, KeyField, SearchField
from erpbridge.db.text import LONGEST_KEY


class Request(models.Model):
    """A bulk request, one click on many records: who, what, how many, and why some were refused.

    Procore's API calls the accept requests "ERP requests".
    """

    class Verb(models.TextChoices):
        """The action that was requested."""

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
    # The id of the HTTP request; log lines of the bulk request contain it.
    trace_id = models.CharField(max_length=64, blank=True)


class Item(Folding):
    """An acceptance item: one revision of one record that is to be exported to one ERP.

    It refers to its record by entity and id, without a foreign key, and stores a label, so that
    this app does not depend on the record apps and items survive the deletion of a record.
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
    # Vendor ID or full code, which must be unique in the ERP.
    erp_key = models.CharField(max_length=200, blank=True)
    # The key as it is compared by an ERP that ignores case.
    erp_key_folded = KeyField("erp_key")
    # How this ERP compares the key (``workflow/payloads/erp_keys.py``), written at acceptance.
    erp_key_compared = models.CharField(max_length=LONGEST_KEY, blank=True)
    acceptance = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.READY)
    # ID of the command; the same for all attempts until the outcome is known.
    intent = models.UUIDField(null=True)
    sent_in = models.ForeignKey(
        Request, null=True, on_delete=models.PROTECT, related_name="sent_items"
    )
    request = models.ForeignKey(Request, null=True, on_delete=models.PROTECT, related_name="items")
    # For records that form a tree: the parent record, and the one whose link the item waits for.
    parent_id = models.BigIntegerField(null=True)
    waits_for = models.BigIntegerField(null=True)
    depth = models.PositiveSmallIntegerField(default=0)
    # Incremented by each claim: an answer counts only if it comes with the current fence.
    fence = models.PositiveIntegerField(default=0)
    # Readings of the measured clock, like ``check_after``.
    # Common to the items that were claimed together: they are sent in one call.
    call = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Lookups since the outcome became unknown.
    looks = models.PositiveSmallIntegerField(default=0)
    # SUBMITTED: the ERP's handle of the queued command, or the handle of the export file.
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
    # Message of the sender to the approver.
    note = models.TextField(blank=True)
    sent_by = by_person(null=False)
    sent_at = models.DateTimeField(db_default=Now())
    decided_by = by_person()
    decided_at = models.DateTimeField(null=True)
    # The fence at that time: attempts with a higher fence belong to this decision.
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

    def needs_second_approver(self, access: Access) -> bool:
        """Whether the user sent the item, and the account lets somebody else decide about it."""
        return self.sent_by_id == access.user.pk and not access.account.senders_may_accept_own


class Attempt(models.Model):
    """One attempt of an export, stored before the ERP is called.

    If no answer is stored, the effect in the ERP is unknown.
    """

    class Outcome(models.TextChoices):
        """Outcome of the attempt. LATE: answered after another worker had claimed the item."""

        OPEN = "open"
        APPLIED = "applied"
        NOT_APPLIED = "not_applied"
        UNCERTAIN = "uncertain"
        LOST = "lost"
        LATE = "late"

    class FirstLook(models.TextChoices):
        """Result of the lookup before a create."""

        ABSENT = "absent"
        PRESENT = "present"

    # Outcomes for which the effect in the ERP is unknown, or was when the item moved on.
    UNKNOWN = (Outcome.OPEN, Outcome.UNCERTAIN, Outcome.LOST, Outcome.LATE)

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="tries")
    fence = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    opened_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True)
    # The same times by the measured clock, which decides whether a call may still take effect.
    opened_reading = models.DateTimeField()
    answered_reading = models.DateTimeField(null=True)
    # One of FirstLook; empty without a lookup.
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

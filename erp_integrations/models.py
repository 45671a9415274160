"""Tables of the export: connections, clicks, items, attempts, links, and what the ERP told us.

Reference: architecture.md section 4, engineering.md 3.2. States change in ``moves`` only.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from erp_integrations.queries import AttemptQuerySet, ItemQuerySet
from erp_integrations.states import BEFORE_ACCEPTANCE, IN_AIR, OPEN, State
from erpbridge.access.models import Account, Project


def _user(*, null: bool = True) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, null=null, on_delete=models.PROTECT, related_name="+"
    )


class Connection(models.Model):
    """One configured adapter of one account."""

    # Names the connection in the address that an asking ERP calls.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="connections")
    name = models.CharField("Name", max_length=100)
    adapter = models.CharField("Adapter", max_length=50)
    config = models.JSONField(default=dict)
    # Setting name -> encrypted value; see ``secrets``.
    secrets = models.JSONField(default=dict, blank=True)
    max_in_flight = models.PositiveSmallIntegerField(default=20)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=300, blank=True)
    paused_for_login = models.BooleanField(default=False)
    rate_per_minute = models.PositiveIntegerField(
        "Commands a minute",
        null=True,
        blank=True,
        help_text="Empty: what the adapter declares.",
    )
    next_slot_at = models.DateTimeField(null=True, blank=True)
    breaker_failures = models.PositiveIntegerField(default=0)
    breaker_until = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_result = models.JSONField(default=dict)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    refresh_problem = models.TextField(blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="connection_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class ActiveConnection(models.Model):
    """Which connection an account uses for a record type."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    entity = models.CharField(max_length=30)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="active_for")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "entity"], name="one_active_connection_per_type"
            )
        ]


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
    by = _user(null=False)
    at = models.DateTimeField(db_default=Now(), editable=False)
    done = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list)
    # The id of the HTTP request, under which the log tells what became of the click.
    trace_id = models.CharField(max_length=64, blank=True)


class Item(models.Model):
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
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    looks = models.PositiveSmallIntegerField(default=0)
    handle = models.CharField(max_length=200, blank=True)
    check_after = models.DateTimeField(null=True)
    erp_id = models.CharField(max_length=200, blank=True)
    erp_code = models.CharField(max_length=200, blank=True)
    erp_version = models.CharField(max_length=200, blank=True)
    error_class = models.CharField(max_length=20, blank=True)
    error_field = models.CharField(max_length=100, blank=True)
    error_text = models.TextField(blank=True)
    error_advice = models.TextField(blank=True)
    sent_by = _user(null=False)
    sent_at = models.DateTimeField(db_default=Now())
    decided_by = _user()
    decided_at = models.DateTimeField(null=True)
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
                fields=["connection", "entity", "erp_key"],
                condition=Q(state__in=sorted(IN_AIR)) & ~Q(erp_key=""),
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


class Link(models.Model):
    """A record and the ERP record it is; ended, never deleted, when unlinked."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="links")
    entity = models.CharField(max_length=30)
    record_id = models.BigIntegerField()
    erp_id = models.CharField(max_length=200)
    erp_code = models.CharField(max_length=200, blank=True)
    erp_version = models.CharField(max_length=200, blank=True)
    synced_payload = models.JSONField(default=dict)
    synced_digest = models.CharField(max_length=64, blank=True)
    linked_at = models.DateTimeField(db_default=Now())
    linked_by = _user()
    ended_at = models.DateTimeField(null=True)
    ended_by = _user()
    ended_why = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "entity", "erp_id"],
                condition=Q(ended_at__isnull=True),
                name="one_record_per_erp_id",
            ),
            models.UniqueConstraint(
                fields=["connection", "entity", "record_id"],
                condition=Q(ended_at__isnull=True),
                name="one_link_per_record",
            ),
        ]


class ExportFile(models.Model):
    """A file of items for a person to import into the ERP, kept as it was made.

    Its items are SUBMITTED with :attr:`handle`, until a person says what became of them.
    """

    class Verdict(models.TextChoices):
        """How it was confirmed."""

        RESULT = "result", "By the ERP's result file"
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
    made_by = _user(null=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    confirmed_by = _user()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["connection", "-id"], name="export_file_latest")]

    def __str__(self) -> str:
        return self.name

    @property
    def handle(self) -> str:
        """What its items carry."""
        return f"file:{self.public_id}"


class ErpRecord(models.Model):
    """A record of the ERP as last seen, for the import side and for proposing unused IDs."""

    class State(models.TextChoices):
        """What became of it on our side."""

        STAGED = "staged", "Ready to Import"
        IMPORTED = "imported", "Imported"
        ARCHIVED = "archived", "Archived"
        INVALID = "invalid", "Invalid"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="erp_records")
    entity = models.CharField(max_length=30)
    erp_id = models.CharField(max_length=200)
    erp_code = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=255, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STAGED)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "entity", "erp_id"], name="erp_record_once"
            )
        ]
        indexes = [
            models.Index(fields=["connection", "entity", "erp_code"], name="erp_record_code")
        ]


class Choice(models.Model):
    """One value of a list kept in the ERP; pages read choices only from here."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="choices")
    kind = models.CharField(max_length=50)
    code = models.CharField(max_length=100)
    label = models.CharField(max_length=255)
    active = models.BooleanField(default=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "code"], name="choice_once")
        ]


class Ticker(models.Model):
    """The one row by which the tickers of all processes take turns."""

    ran_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_ticker")]


class Worker(models.Model):
    """A process that exports, as last heard of; written by its ticker."""

    name = models.CharField(max_length=100, unique=True)
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["seen_at"], name="worker_seen")]

    def __str__(self) -> str:
        return self.name

"""ERP records as last seen, links to them, and the ERP's lists of choices."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from erp_integrations.models.connections import Connection
from erp_integrations.models.fields import by_person
from erp_integrations.models.items import Item
from erp_integrations.models.querysets import LinkQuerySet
from erpbridge.db.batches import chunks
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField


class Link(Folding):
    """Link between a record and its ERP record; unlinking ends it and never deletes it.

    ``label`` is the name of the record, for lists. ``item`` is the item that was exported or
    resolved last; None if the two were linked without an item.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="links")
    entity = models.CharField(max_length=30)
    record_id = models.BigIntegerField()
    label = models.CharField(max_length=255, blank=True)
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="+")
    erp_id = models.CharField(max_length=200)
    erp_code = models.CharField(max_length=200, blank=True)
    erp_code_folded = KeyField("erp_code")
    search_text = SearchField("label", "erp_code", "erp_id")
    erp_version = models.CharField(max_length=200, blank=True)
    # The ID was named by an API client and has not been compared with the ERP's record yet; see
    # ``workflow.links.comparison``.
    told = models.BooleanField(default=False)
    synced_payload = models.JSONField(default=dict)
    synced_digest = models.CharField(max_length=64, blank=True)
    linked_at = models.DateTimeField(db_default=Now())
    linked_by = by_person()
    ended_at = models.DateTimeField(null=True)
    ended_by = by_person()
    ended_why = models.TextField(blank=True)

    objects = LinkQuerySet.as_manager()

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
        indexes = [
            models.Index(
                fields=["connection", "entity", "-id"],
                condition=Q(ended_at__isnull=True),
                name="link_listed",
            )
        ]

    def __str__(self) -> str:
        return self.label or self.erp_code or self.erp_id


class ErpRecord(Folding):
    """An ERP record as last seen, for imports and for proposing unused IDs."""

    class State(models.TextChoices):
        """State of the import."""

        STAGED = "staged", "Ready to Import"
        IMPORTED = "imported", "Imported"
        ARCHIVED = "archived", "Archived"
        INVALID = "invalid", "Invalid"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="erp_records")
    entity = models.CharField(max_length=30)
    erp_id = models.CharField(max_length=200)
    erp_code = models.CharField(max_length=200, blank=True)
    erp_code_folded = KeyField("erp_code")
    erp_version = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=255, blank=True)
    search_text = SearchField("erp_code", "label", "erp_id")
    # Normalized values for matching with items that wait for a decision; see ``match_keys``.
    name_key = models.CharField(max_length=200, blank=True)
    tax_key = models.CharField(max_length=200, blank=True)
    phone_key = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.STAGED)
    seen_at = models.DateTimeField(db_default=Now())
    # Number of the connection's fetch in which, or after whose start, it was last seen.
    seen_in_fetch = models.PositiveIntegerField(default=0)

    objects = FoldingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "entity", "erp_id"], name="erp_record_once"
            )
        ]
        indexes = [
            models.Index(fields=["connection", "entity", "erp_code"], name="erp_record_code"),
            *(
                models.Index(
                    fields=["connection", "entity", column],
                    condition=~Q(**{column: ""}),
                    name=f"erp_record_{column}",
                )
                for column in ("name_key", "tax_key", "phone_key")
            ),
            models.Index(fields=["connection", "entity", "erp_code_folded"], name="erp_record_key"),
        ]


class Choice(models.Model):
    """One value of a list of the ERP; pages read choices only from this table."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="choices")
    kind = models.CharField(max_length=50)
    code = models.CharField(max_length=100)
    label = models.CharField(max_length=255)
    # Kind of the value, such as "income account", if the ERP reports it.
    group = models.CharField(max_length=50, blank=True, default="")
    active = models.BooleanField(default=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "code"], name="choice_once")
        ]


def release_linked(connection: Connection) -> None:
    """Release items that wait for a parent that is linked; the next claim checks them again."""
    linked = Link.objects.active().filter(
        connection=connection, entity=OuterRef("entity"), record_id=OuterRef("waits_for")
    )
    connection.items.filter(Exists(linked)).update(waits_for=None)


def active_links(connection: Connection, entity: str, ids: Sequence[int]) -> dict[int, Link]:
    """The active links of these records, by record id."""
    links: dict[int, Link] = {}
    for batch in chunks(ids):
        rows = Link.objects.filter(connection=connection, entity=entity, record_id__in=batch)
        links.update((link.record_id, link) for link in rows.filter(ended_at=None))
    return links

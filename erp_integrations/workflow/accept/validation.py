"""Validation of acceptance: stale or own items, wrong values, ERP keys that are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, QuerySet

from erp_integrations.adapters.base import Adapter, EntityManifest, Operation, Problem, RuleKind
from erp_integrations.connections.safe_adapter import LONGEST_ID, plain
from erp_integrations.models import Connection, ErpRecord, Item, Link
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.states import IN_AIR, ItemEvent, State
from erp_integrations.workflow.accept.field_choices import Offers
from erp_integrations.workflow.links.comparison import not_compared
from erp_integrations.workflow.payloads import erp_keys, field_rules
from erp_integrations.workflow.payloads.commands import command_of
from erp_integrations.workflow.transitions import MOVES
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks
from erpbridge.db.text import one_line

if TYPE_CHECKING:
    from erp_integrations.workflow.accept.services import Decision

Row = TypeVar("Row", bound=Model)


def erp_key(manifest: EntityManifest, item: Item, values: Mapping[str, object]) -> str:
    """Return the key of the record in the ERP, from acceptance values and payload.

    See docs/design/export-protocol.md, "The ERP key".
    """
    parts = [str(values.get(name) or item.payload.get(name) or "") for name in manifest.key]
    return erp_keys.as_sent(manifest, "|".join(part.strip() for part in parts))


def decided(item: Item) -> Problem:
    """Return the problem of an item that was decided already."""
    decider = f" by {item.decided_by}" if item.decided_by else ""
    words = State(item.state).label
    return Problem("state", "decided", f"Already decided{decider}: {words}.", current=words)


class Checks:
    """Validation of many items of one connection, with a fixed number of queries per 500 items.

    The caller holds the lock on the connection, so the loaded links and keys stay valid.
    """

    def __init__(
        self,
        connection: Connection,
        adapter: Adapter,
        manifest: EntityManifest,
        items: Sequence[Item],
        decisions: Mapping[int, Decision],
        event: ItemEvent,
        access: Access,
    ) -> None:
        self.connection, self.manifest, self.access = connection, manifest, access
        self.sources = MOVES[event][0]
        self.decisions = decisions
        self.adapter = adapter
        self.values = {item.pk: self._values(item) for item in items}
        self.links = active_links(connection, manifest.entity, [item.record_id for item in items])
        parents = sorted({item.parent_id for item in items if item.parent_id is not None})
        self.parents = active_links(connection, manifest.entity, parents)
        self.keys = {item.pk: self._key(item) for item in items}
        self.offers = Offers(connection, manifest)
        compared = sorted({self._compared(key) for key in self.keys.values()} - {""})
        # Keys of ERP records that no record is linked to: the item can be linked to them instead.
        self.linkable: set[str] = set()
        self.in_export = self._exporting(compared)
        self.holders = self._holders(compared)

    def _values(self, item: Item) -> dict[str, str]:
        """The values of the declared fields, as text and in the case that the ERP requires."""
        # A decision without values uses those that were saved while the approver entered them.
        entered = self.decisions[item.pk].values or item.acceptance
        values = {}
        for acceptance_field in self.manifest.acceptance_fields:
            value = one_line(plain(entered.get(acceptance_field.name) or ""))
            if any(
                rule.kind == RuleKind.CASE and rule.value == "upper"
                for rule in acceptance_field.rules
            ):
                value = value.upper()
            values[acceptance_field.name] = value
        return values

    def _key(self, item: Item) -> str:
        link = self.links.get(item.record_id)
        # An update keeps the key under which the ERP has the record.
        if item.operation == Operation.CREATE or link is None:
            return erp_key(self.manifest, item, self.values[item.pk])
        return erp_keys.as_sent(self.manifest, link.erp_code or link.erp_id)

    def _compared(self, key: str) -> str:
        return erp_keys.compared(self.manifest, key)

    def _with(self, rows: QuerySet[Row], column: str, keys: Sequence[str]) -> QuerySet[Row]:
        of_entity = rows.filter(connection=self.connection, entity=self.manifest.entity)
        return erp_keys.holding(of_entity, self.manifest, column, keys)

    def _holders(self, keys: Sequence[str]) -> dict[str, str]:
        """Compared key -> description of the ERP record or linked record that has it."""
        holders: dict[str, str] = {}
        for chunk in chunks(keys):
            erp_records = self._with(ErpRecord.objects.all(), "erp_code", chunk)
            holders.update(
                (self._compared(code), f"{label or code} in the ERP")
                for code, label in erp_records.values_list("erp_code", "label")
            )
            linked = self._with(Link.objects.filter(ended_at=None), "erp_code", chunk)
            # A linked record is probably also among the ERP records: the link says more.
            synced = {self._compared(code) for code in linked.values_list("erp_code", flat=True)}
            self.linkable |= holders.keys() - synced
            holders.update(dict.fromkeys(synced, "a record that is synced already"))
        return holders

    def _exporting(self, keys: Sequence[str]) -> dict[str, str]:
        """Compared key -> description of the item in export that has it."""
        holders: dict[str, str] = {}
        for chunk in chunks(keys):
            items = self._with(Item.objects.filter(state__in=sorted(IN_AIR)), "erp_key", chunk)
            holders.update(
                (self._compared(item.erp_key), f"{item.label}, accepted by {item.decided_by}")
                for item in items.select_related("decided_by")
            )
        return holders

    def problems(self, item: Item) -> list[Problem]:
        """Return all reasons why an item cannot be accepted.

        If there are none, its key counts as taken for the items that are checked after it.
        """
        # Values of an item that was decided or changed would only produce misleading messages.
        problems = self._stale_or_own(item)
        if problems:
            return problems
        if item.operation == Operation.CREATE:
            problems = self._field_problems(item) + self._key_problems(item)
        else:
            problems = self._update_problems(item)
        problems += self._link_problems(item)
        if not problems:
            # So that of two items with one key in a request only the second is refused, and not the
            # whole batch by the constraint ``one_key_in_air``.
            key = self._compared(self.keys[item.pk])
            self.in_export[key] = f"{item.label}, accepted in this click"
        return problems

    def missing_parent(self, item: Item) -> int | None:
        """Return the id of the parent record if it is not linked yet, else None."""
        return None if item.parent_id in self.parents else item.parent_id

    def _stale_or_own(self, item: Item) -> list[Problem]:
        if item.state not in self.sources:
            return [decided(item)]
        if self.decisions[item.pk].digest != item.digest:
            message = "It is not the revision you looked at. Open it again, then decide."
            return [Problem("digest", "stale", message)]
        if item.needs_second_approver(self.access):
            message = "You sent it yourself; a second approver has to accept it."
            return [Problem("sent_by", "own", message)]
        return []

    def _field_problems(self, item: Item) -> list[Problem]:
        values = self.values[item.pk]
        command = command_of(item, key=self.keys[item.pk], acceptance=values)
        problems = field_rules.problems(self.manifest, item.payload, values)
        for acceptance_field in self.manifest.acceptance_fields:
            value = values[acceptance_field.name]
            if message := self.offers.why_not(acceptance_field, value):
                problems.append(Problem(acceptance_field.name, "choice", message, current=value))
        return problems + list(self.adapter.validate(command))

    def _key_problems(self, item: Item) -> list[Problem]:
        key, name = self.keys[item.pk], self.manifest.key[0]
        folded = self._compared(key)
        if len(key) > LONGEST_ID:
            message = f"It may have at most {LONGEST_ID} characters; it has {len(key)}."
            return [Problem(name, "max_length", message, str(len(key)), str(LONGEST_ID))]
        holder = self.in_export.get(folded) or self.holders.get(folded)
        if not key or holder is None:
            return []
        # A key in export or of a link belongs to another record. An ERP record without a link may
        # be this one.
        free = folded not in self.in_export and folded in self.linkable
        advice = "Link instead if it is the same, or choose another." if free else "Choose another."
        message = f"{key} is taken by {holder}. {advice}"
        return [Problem(name, "taken", message, current=key)]

    def _link_problems(self, item: Item) -> list[Problem]:
        """An ERP ID named by an API client that no worker can compare with the ERP."""
        own = None if item.operation == Operation.CREATE else self.links.get(item.record_id)
        message = not_compared(self.connection, (own, self.parents.get(item.parent_id or 0)))
        return [Problem("link", "not_compared", message)] if message else []

    def _update_problems(self, item: Item) -> list[Problem]:
        if item.record_id not in self.links:
            message = "It is no longer linked to a record of the ERP. Reject it and send it again."
            return [Problem("link", "unlinked", message)]
        # The constraint ``one_key_in_air`` allows one item per key in export.
        holder = self.in_export.get(self._compared(self.keys[item.pk]))
        if holder is None:
            return []
        message = f"{self.keys[item.pk]} is being exported for {holder}. Try again afterwards."
        return [Problem(self.manifest.key[0], "taken", message)]

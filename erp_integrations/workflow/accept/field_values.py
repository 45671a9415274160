"""Acceptance values that an approver enters before accepting, for one item or many.

They are saved in ``Item.acceptance`` when they are entered, and validated again at acceptance.
Only creates have them: an update is exported under its link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, Operation
from erp_integrations.connections import adapter_loading
from erp_integrations.connections.safe_adapter import plain
from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import DECIDABLE
from erp_integrations.workflow.accept import default_rules
from erp_integrations.workflow.accept.field_choices import Offers
from erp_integrations.workflow.badges import BADGES
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.text import one_line

# Characters of one value.
LONGEST_VALUE = 200


@dataclass
class Saved:
    """The result of saving values.

    ``done``: how many items were changed. ``refused``: (item id, field) -> why the value was
    refused. ``decided``: item id -> message, for items that were decided meanwhile.
    """

    done: int = 0
    refused: dict[tuple[int, str], str] = field(default_factory=dict)
    decided: dict[int, str] = field(default_factory=dict)

    @property
    def why(self) -> list[str]:
        """All messages, without duplicates."""
        return list(dict.fromkeys([*self.refused.values(), *self.decided.values()]))


def save(values: Mapping[int, Mapping[str, str]], *, entity: str, access: Access) -> Saved:
    """Save values by item id and field. A refused value leaves the old one in place."""
    saved = Saved()
    with transaction.atomic():
        # Under lock: an item that is accepted at the same time keeps the values that it was
        # accepted with, and two approvers do not overwrite each other's fields of the same item.
        locked = _locked(values, entity, access)
        for connection, manifest, items in _by_connection(locked):
            check = _Values(connection, manifest)
            changed = []
            for item in items:
                item_values = check.taken(item, values[item.pk], saved.refused)
                if item_values and item_values != item.acceptance:
                    item.acceptance = item_values
                    changed.append(item)
            write_rows(changed, ["acceptance"])
            saved.done += len(changed)
    saved.decided = _decided(sorted(set(values) - {item.pk for item in locked}), entity, access)
    return saved


def fill(
    items: ItemQuerySet, name: str, value: str, *, entity: str, only_empty: bool, access: Access
) -> Saved:
    """Set one field of many items to the same value.

    :param only_empty: leave items alone that have a value for the field.
    """
    rows = items.filter(entity=entity, state__in=sorted(DECIDABLE), operation=Operation.CREATE)
    item_ids = [
        item.pk
        for item in rows.only("pk", "acceptance")
        if not (only_empty and item.acceptance.get(name))
    ]
    return save({pk: {name: value} for pk in item_ids}, entity=entity, access=access)


def apply_defaults(items: ItemQuerySet, *, entity: str, access: Access) -> int:
    """Fill empty fields with the connection's default rules; returns how many items changed."""
    rows = items.filter(entity=entity, state__in=sorted(DECIDABLE), operation=Operation.CREATE)
    by_rule: dict[int, dict[str, str]] = {}
    for connection, manifest, connection_items in _by_connection(rows):
        rules = default_rules.Defaults(connection, manifest)
        for item in connection_items:
            defaults = {
                name: value
                for name, value in rules.of(item.payload).items()
                if not item.acceptance.get(name)
            }
            if defaults:
                by_rule[item.pk] = defaults
    return save(by_rule, entity=entity, access=access).done


def missing(items: Iterable[Item], manifest: EntityManifest) -> int:
    """Return how many items lack a required acceptance value."""
    required = [
        acceptance_field.name
        for acceptance_field in manifest.acceptance_fields
        if acceptance_field.required
    ]
    return sum(
        item.operation == Operation.CREATE
        and not all(item.acceptance.get(name) for name in required)
        for item in items
    )


def _locked(values: Mapping[int, object], entity: str, access: Access) -> list[Item]:
    """Lock and return the items that can still be decided, in the order of their ids."""
    ids = sorted(values)
    items: list[Item] = []
    for chunk in chunks(ids):
        visible = Item.objects.visible_to(access).filter(entity=entity, operation=Operation.CREATE)
        decidable = visible.filter(pk__in=chunk, state__in=sorted(DECIDABLE))
        items += decidable.order_by("pk").select_for_update(no_key=True, of=("self",))
    return items


def _by_connection(
    items: Iterable[Item],
) -> list[tuple[Connection, EntityManifest, list[Item]]]:
    """Group items by connection, without those whose adapter cannot be used."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(item.connection_id, []).append(item)
    connections = Connection.objects.in_bulk(list(groups))
    manifests = {
        pk: adapter_loading.usable_manifest(connections[pk], connection_items[0].entity)
        for pk, connection_items in groups.items()
    }
    return [
        (connections[pk], manifest, groups[pk])
        for pk, manifest in manifests.items()
        if manifest is not None
    ]


class _Values:
    """Validation of acceptance values for one connection."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        self.fields = {
            acceptance_field.name: acceptance_field
            for acceptance_field in manifest.acceptance_fields
        }
        self.offers = Offers(connection, manifest)

    def taken(
        self, item: Item, entered: Mapping[str, str], refused: dict[tuple[int, str], str]
    ) -> dict[str, str]:
        """Return the item's values updated with the valid ones; adds the others to ``refused``."""
        values = dict(item.acceptance)
        for name, raw in entered.items():
            # The manifest may have changed since the page was opened.
            if name not in self.fields:
                continue
            value = one_line(plain(raw))
            refusal = self._why_not(self.fields[name], value)
            if refusal:
                refused[item.pk, name] = refusal
            else:
                values[name] = value
        return values

    def _why_not(self, acceptance_field: AcceptanceField, value: str) -> str | None:
        if len(value) > LONGEST_VALUE:
            return (
                f"{acceptance_field.label} may have at most {LONGEST_VALUE} characters; it has "
                f"{len(value)}."
            )
        return self.offers.why_not(acceptance_field, value)


def _decided(ids: Sequence[int], entity: str, access: Access) -> dict[int, str]:
    """Item id -> message, for those of the items that can no longer be decided."""
    messages: dict[int, str] = {}
    for chunk in chunks(ids):
        visible = Item.objects.visible_to(access).filter(entity=entity)
        decided = visible.filter(pk__in=chunk).exclude(state__in=sorted(DECIDABLE))
        for item in decided.select_related("decided_by"):
            decider = f" by {item.decided_by}" if item.decided_by else ""
            messages[item.pk] = f"It was decided{decider}: {BADGES[item.state].label}."
    return messages

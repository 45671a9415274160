"""What an approver fills in before accepting: saved as it is picked, for one row or for many.

The values wait in ``Item.acceptance`` of items that can be decided; accepting checks them again.
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
from erpbridge.db.batches import CHUNK
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.text import one_line

# Items in these states can still be given other values.
LONGEST_VALUE = 200


@dataclass
class Saved:
    """How many items got values, by item id and field why a value was not taken, and by item id
    who has decided it meanwhile.
    """

    done: int = 0
    refused: dict[tuple[int, str], str] = field(default_factory=dict)
    decided: dict[int, str] = field(default_factory=dict)

    @property
    def why(self) -> list[str]:
        """Every reason once."""
        return list(dict.fromkeys([*self.refused.values(), *self.decided.values()]))


def save(values: Mapping[int, Mapping[str, str]], *, entity: str, access: Access) -> Saved:
    """Keep what was typed or picked, by item id and field; a bad value leaves the old one."""
    saved = Saved()
    with transaction.atomic():
        locked = _locked(values, entity, access)
        for connection, manifest, items in _by_connection(locked):
            check = _Values(connection, manifest)
            changed = []
            for item in items:
                given = check.taken(item, values[item.pk], saved.refused)
                if given and given != item.acceptance:
                    item.acceptance = given
                    changed.append(item)
            write_rows(changed, ["acceptance"])
            saved.done += len(changed)
    saved.decided = _decided(sorted(set(values) - {item.pk for item in locked}), entity, access)
    return saved


def fill(
    items: ItemQuerySet, name: str, value: str, *, entity: str, only_empty: bool, access: Access
) -> Saved:
    """Give one field of many items the same value."""
    rows = items.filter(entity=entity, state__in=sorted(DECIDABLE), operation=Operation.CREATE)
    wanted = [
        item.pk
        for item in rows.only("pk", "acceptance")
        if not (only_empty and item.acceptance.get(name))
    ]
    return save({pk: {name: value} for pk in wanted}, entity=entity, access=access)


def apply_defaults(items: ItemQuerySet, *, entity: str, access: Access) -> int:
    """Fill what is empty by the default rules of the connection; how many items got a value."""
    rows = items.filter(entity=entity, state__in=sorted(DECIDABLE), operation=Operation.CREATE)
    by_rule: dict[int, dict[str, str]] = {}
    for connection, manifest, some in _by_connection(rows):
        rules = default_rules.Defaults(connection, manifest)
        for item in some:
            found = {
                name: value
                for name, value in rules.of(item.payload).items()
                if not item.acceptance.get(name)
            }
            if found:
                by_rule[item.pk] = found
    return save(by_rule, entity=entity, access=access).done


def missing(items: Iterable[Item], manifest: EntityManifest) -> int:
    """How many items lack a value that the ERP requires."""
    required = [one.name for one in manifest.acceptance_fields if one.required]
    return sum(
        item.operation == Operation.CREATE
        and not all(item.acceptance.get(name) for name in required)
        for item in items
    )


def _locked(values: Mapping[int, object], entity: str, access: Access) -> list[Item]:
    """The items that can still be given values, locked in the order of their ids."""
    ids = sorted(values)
    items: list[Item] = []
    for start in range(0, len(ids), CHUNK):
        visible = Item.objects.visible_to(access).filter(entity=entity, operation=Operation.CREATE)
        found = visible.filter(pk__in=ids[start : start + CHUNK], state__in=sorted(DECIDABLE))
        items += found.order_by("pk").select_for_update(no_key=True, of=("self",))
    return items


def _by_connection(
    items: Iterable[Item],
) -> list[tuple[Connection, EntityManifest, list[Item]]]:
    """The items by connection, without those whose ERP cannot say what it asks for."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(item.connection_id, []).append(item)
    found = Connection.objects.in_bulk(list(groups))
    manifests = {
        pk: adapter_loading.usable_manifest(found[pk], some[0].entity)
        for pk, some in groups.items()
    }
    return [
        (found[pk], manifest, groups[pk])
        for pk, manifest in manifests.items()
        if manifest is not None
    ]


class _Values:
    """What the connection's ERP takes as acceptance values."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        self.fields = {one.name: one for one in manifest.acceptance_fields}
        self.offers = Offers(connection, manifest)

    def taken(
        self, item: Item, given: Mapping[str, str], refused: dict[tuple[int, str], str]
    ) -> dict[str, str]:
        """The item's values with the good ones of ``given``; the bad ones are told."""
        values = dict(item.acceptance)
        for name, raw in given.items():
            if name not in self.fields:
                continue
            value = one_line(plain(raw))
            why = self._why_not(self.fields[name], value)
            if why:
                refused[item.pk, name] = why
            else:
                values[name] = value
        return values

    def _why_not(self, one: AcceptanceField, value: str) -> str:
        if len(value) > LONGEST_VALUE:
            return f"{one.label} may have at most {LONGEST_VALUE} characters; it has {len(value)}."
        return self.offers.why_not(one, value)


def _decided(ids: Sequence[int], entity: str, access: Access) -> dict[int, str]:
    """Of items that are no longer to be decided, who decided them."""
    found: dict[int, str] = {}
    for start in range(0, len(ids), CHUNK):
        visible = Item.objects.visible_to(access).filter(entity=entity)
        gone = visible.filter(pk__in=ids[start : start + CHUNK]).exclude(
            state__in=sorted(DECIDABLE)
        )
        for item in gone.select_related("decided_by"):
            who = f" by {item.decided_by}" if item.decided_by else ""
            found[item.pk] = f"It was decided{who}: {BADGES[item.state].label}."
    return found

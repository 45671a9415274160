"""What the ERP holds beside what waits: records of the same ID, name, tax ID or phone.

As known from the last refresh: the ERP itself is not asked here. ``pulling`` stores
by what its records are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from erp_integrations.adapters.base import EntityManifest, Field, Operation
from erp_integrations.models import ErpRecord, Item, Link
from erp_integrations.models.match_keys import COMPARED, keys_of
from erp_integrations.models.states import DECIDABLE
from erp_integrations.workflow.accept.validation import erp_key
from erp_integrations.workflow.payloads import erp_keys

# Shown on a page: more of them say nothing.
MOST_SHOWN = 5


@dataclass(frozen=True)
class Compared:
    """One field: what the ERP holds beside what was sent."""

    label: str
    held: str
    sent: str
    differs: bool


@dataclass(frozen=True)
class Match:
    """A record of the ERP that may be the one that waits; ``same`` says by what.

    ``linked_to`` is the record of ours that it is linked to already; empty where it is free.
    """

    erp_id: str
    erp_code: str
    label: str
    same: tuple[str, ...]
    linked_to: str
    fields: tuple[Compared, ...]

    @property
    def why(self) -> str:
        """By what it is the same, in words."""
        return f"same {', '.join(self.same)}"


def matches(item: Item, manifest: EntityManifest, values: Mapping[str, Any]) -> list[Match]:
    """What the ERP may hold of an item that is to be created; those of the same ID first.

    :param values: the acceptance values with which it would be accepted.
    """
    if item.operation != Operation.CREATE or item.state not in DECIDABLE:
        return []
    names = {one.name for one in manifest.fields}
    sent = {name: item.payload.get(name) for name in COMPARED if name in names}
    keys = {column: key for column, key in keys_of(sent).items() if key}
    key = erp_key(manifest, item, values)
    column = erp_keys.column(manifest, "erp_code")
    wanted = Q(**{column: erp_keys.compared(manifest, key)}) if key else Q(pk=None)
    for column, value in keys.items():
        wanted |= Q(**{column: value})
    rows = item.connection.erp_records.filter(wanted, entity=item.entity).order_by("pk")
    records = sorted(rows[:MOST_SHOWN], key=lambda one: not _same_key(one, key, manifest))
    links = item.connection.links.filter(
        entity=item.entity, ended_at=None, erp_id__in=[one.erp_id for one in records]
    )
    linked = {link.erp_id: link for link in links.exclude(record_id=item.record_id)}
    return [_match(one, item, manifest, key, keys, linked.get(one.erp_id)) for one in records]


def _same_key(record: ErpRecord, key: str, manifest: EntityManifest) -> bool:
    if not key:
        return False
    return erp_keys.compared(manifest, record.erp_code) == erp_keys.compared(manifest, key)


def _match(
    record: ErpRecord,
    item: Item,
    manifest: EntityManifest,
    key: str,
    keys: Mapping[str, str],
    link: Link | None,
) -> Match:
    labels = {one.name: one.label for one in manifest.acceptance_fields}
    labels |= {one.name: one.label for one in manifest.fields}
    same = [labels.get(manifest.key[0], "ID")] if _same_key(record, key, manifest) else []
    for name, (column, _make) in COMPARED.items():
        if column in keys and getattr(record, column) == keys[column]:
            same.append(labels[name])
    fields = [
        _compared(one, _text(record.data, one.name), _text(item.payload, one.name))
        for one in manifest.fields
        if record.data.get(one.name) or item.payload.get(one.name)
    ]
    return Match(
        record.erp_id,
        record.erp_code or record.erp_id,
        record.label or record.erp_code or record.erp_id,
        tuple(same),
        str(link) if link else "",
        tuple(fields),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    return str(data.get(name) or "")


def _compared(field: Field, held: str, sent: str) -> Compared:
    """Two spellings of one name or number do not differ."""
    _column, made = COMPARED.get(field.name, ("", str))
    return Compared(field.label, held, sent, held != sent and made(held) != made(sent))

"""ERP records that may be the same as a waiting item: with the same ID, name, tax ID or phone.

They are searched among the records of the last refresh; the ERP is not called.
``connections.refresh`` stores the columns by which they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from erp_integrations.adapters.base import EntityManifest, Field, Operation
from erp_integrations.models import ErpRecord, Item, Link
from erp_integrations.models.match_keys import COMPARED, keys_of
from erp_integrations.models.states import DECIDABLE
from erp_integrations.workflow.accept.validation import erp_key
from erp_integrations.workflow.payloads import erp_keys

# Matches shown for one item.
MOST_SHOWN = 5


@dataclass(frozen=True)
class Compared:
    """One field of a match: the value in the ERP beside the value that was sent."""

    label: str
    in_erp: str
    sent: str
    differs: bool


@dataclass(frozen=True)
class Match:
    """An ERP record that may be the same as the item's record.

    ``same``: labels of the fields that agree. ``linked_to``: label of another record that it is
    linked to, empty if it is free.
    """

    erp_id: str
    erp_code: str
    label: str
    same: tuple[str, ...]
    linked_to: str
    fields: tuple[Compared, ...]

    @property
    def why(self) -> str:
        """The fields that agree, in words."""
        return f"same {', '.join(self.same)}"


def matches(item: Item, manifest: EntityManifest, values: Mapping[str, object]) -> list[Match]:
    """Return ERP records that may be the same as a create that can be decided; same ID first.

    :param values: acceptance values of the item, which may contain its ERP ID.
    """
    if item.operation != Operation.CREATE or item.state not in DECIDABLE:
        return []
    # Only fields that the ERP stores can be the same there.
    names = {field.name for field in manifest.fields}
    sent_values = {name: item.payload.get(name) for name in COMPARED if name in names}
    keys = {column: key for column, key in keys_of(sent_values).items() if key}
    key = erp_key(manifest, item, values)
    column = erp_keys.column(manifest, "erp_code")
    # ``Q(pk=None)`` matches nothing: without a key only the other columns select records.
    conditions = Q(**{column: erp_keys.compared(manifest, key)}) if key else Q(pk=None)
    for column, value in keys.items():
        conditions |= Q(**{column: value})
    rows = item.connection.erp_records.filter(conditions, entity=item.entity).order_by("pk")
    records = sorted(rows[:MOST_SHOWN], key=lambda record: not _same_key(record, key, manifest))
    links = item.connection.links.filter(
        entity=item.entity, ended_at=None, erp_id__in=[record.erp_id for record in records]
    )
    # A link of this record does not make the match unavailable to it.
    linked = {link.erp_id: link for link in links.exclude(record_id=item.record_id)}
    return [
        _match(record, item, manifest, key, keys, linked.get(record.erp_id)) for record in records
    ]


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
    labels = {field.name: field.label for field in manifest.acceptance_fields}
    labels |= {field.name: field.label for field in manifest.fields}
    agreeing = [labels.get(manifest.key[0], "ID")] if _same_key(record, key, manifest) else []
    for name, (column, _make) in COMPARED.items():
        if column in keys and getattr(record, column) == keys[column]:
            agreeing.append(labels[name])
    fields = [
        _compared(field, _text(record.data, field.name), _text(item.payload, field.name))
        for field in manifest.fields
        if record.data.get(field.name) or item.payload.get(field.name)
    ]
    return Match(
        record.erp_id,
        record.erp_code or record.erp_id,
        record.label or record.erp_code or record.erp_id,
        tuple(agreeing),
        str(link) if link else "",
        tuple(fields),
    )


def _text(data: Mapping[str, object], name: str) -> str:
    return str(data.get(name) or "")


def _compared(field: Field, erp_value: str, sent_value: str) -> Compared:
    # Compared in the form of the match columns: another spelling of a name or phone is no
    # difference.
    _column, normalize = COMPARED.get(field.name, ("", str))
    return Compared(
        field.label,
        erp_value,
        sent_value,
        erp_value != sent_value and normalize(erp_value) != normalize(sent_value),
    )

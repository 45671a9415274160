"""Validate records against another adapter, and switch a record type to another connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from erp_integrations.adapters.base import Adapter, EntityManifest, Manifest, Operation, Problem
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import ActiveConnection, Connection, row_locks
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.models.record_types import (
    Draft,
    RecordType,
    connection_activated,
    counted,
    record_type,
)
from erp_integrations.workflow.bulk_requests import Refusal
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.commands import command_for
from erpbridge.access.models import User
from erpbridge.refusals import Refused


@dataclass(frozen=True)
class InstalledAdapter:
    """An installed and allowed adapter; ``entities`` are the record types that it can create."""

    key: str
    label: str
    entities: frozenset[str]

    def takes(self, entity: str) -> bool:
        """Whether records of this type can be created through the adapter."""
        return entity in self.entities


def installed_adapters() -> list[InstalledAdapter]:
    """Return the installed adapters in the order of the setting that allows them."""
    adapters = []
    for key, adapter_class in adapter_loading.adapter_classes().items():
        manifest = adapter_class.manifest({})
        takes = {
            name for name, entity_manifest in manifest.entities.items() if _creates(entity_manifest)
        }
        adapters.append(InstalledAdapter(key, manifest.label, frozenset(takes)))
    return adapters


def check_against(
    entity: str, account_id: int, ids: Sequence[int], adapter_key: str
) -> list[Refusal]:
    """Return the records that an adapter with default settings would refuse, with all reasons.

    Checks the adapter's rules, its code format and its own validation, without calling an ERP.
    Whether a record is active or locked is ignored.

    :raises AdapterUnavailable: if the adapter is not installed, not allowed or broken.
    """
    manifest, adapter = adapter_loading.unconnected(adapter_key, account_id)
    entity_manifest = manifest.entities.get(entity)
    drafts = payload_drafts.drafts(record_type(entity), account_id, ids, entity_manifest)
    clashes = payload_drafts.clashes(entity_manifest, drafts)
    checked = [
        Refusal(
            draft.record_id,
            draft.label,
            (
                *_problems(draft, manifest, entity_manifest, adapter),
                *([clashes[draft.record_id]] if draft.record_id in clashes else ()),
            ),
        )
        for draft in drafts
    ]
    return [refusal for refusal in checked if refusal.problems]


def _creates(entity_manifest: EntityManifest) -> bool:
    return Operation.CREATE in entity_manifest.operations


def _problems(
    draft: Draft, manifest: Manifest, entity: EntityManifest | None, adapter: Adapter
) -> list[Problem]:
    if entity is None:
        message = f"{manifest.label} does not take these records."
        return [Problem("connection", "unsupported", message)]
    broken_rules = payload_drafts.problems(entity, draft)
    broken_rules += adapter.validate(command_for(draft, None, entity=entity.entity))
    if not _creates(entity):
        message = f"{manifest.label} does not take new records from here."
        broken_rules.append(Problem("operation", "create", message))
    return broken_rules


def standing_against(connection: Connection, entity: str) -> list[str]:
    """Return why an account's records of a type cannot be switched to this connection.

    Empty if they can, and if no other connection is in use for them.
    """
    kind = record_type(entity)
    plural = kind.label_plural.lower()
    current = connection_services.active(connection.account_id, entity)
    if current is None or current.pk == connection.pk:
        return []
    reasons = []
    manifest = adapter_loading.usable_manifest(connection, entity)
    if manifest is None:
        reasons.append(f"{connection.name} does not take {plural}.")
    # Open items were accepted for the ERP of the present connection.
    open_count = current.items.filter(entity=entity).open().count()
    if open_count:
        reasons.append(
            f"{_counted(open_count, kind)} still open with {current.name}: waiting for accounting, "
            "being exported, or failed. Retrieve, reject or settle what is open first."
        )
    linked = current.links.filter(entity=entity, ended_at=None).count()
    # An ERP list belongs to its connection (docs/design/work-breakdown-structure.md, "Cost codes").
    if linked and kind.unit == "record":
        reasons.append(
            f"{_counted(linked, kind)} linked to {current.name}, and a record has one ERP ID. "
            "Unlink what is linked first."
        )
    return reasons


def _counted(number: int, kind: RecordType) -> str:
    return f"{counted(kind, number)} {'is' if number == 1 else 'are'}"


class NotUsed(Refused):
    """The record type cannot be switched to the connection; ``reasons`` has all reasons."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(reasons)


@transaction.atomic
def use_for(connection: Connection, entity: str, *, by: User) -> None:
    """Use a connection for the account's records of a type from now on.

    :raises NotUsed: if that is not possible, with all reasons.
    """
    # The account comes first, because the switch may also change the list of the record app, which
    # is otherwise locked before connections (docs/locks.md).
    connection_services.hold_account(connection.account_id)
    either = Q(pk=connection.pk) | Q(active_for__entity=entity, account=connection.account_id)
    # Both connections, so that nothing is sent or linked on either. In a subquery, because
    # PostgreSQL does not lock rows of an outer join.
    connections = Connection.objects.filter(pk__in=Connection.objects.filter(either).values("pk"))
    row_locks.lock_connections(connections)
    reasons = standing_against(connection, entity)
    if reasons:
        raise NotUsed(reasons)
    rows = ActiveConnection.objects.filter(account=connection.account_id, entity=entity)
    if not rows.exclude(connection=connection).update(connection=connection):
        # No other connection was in use for the records.
        connection_services.serve(connection)
        return
    connection_services.note_event(connection, ConnectionEvent.ACTIVATED, by=by, entity=entity)
    connection_activated.send(
        ActiveConnection,
        entity=entity,
        account_id=connection.account_id,
        connected=connection_services.as_connected(connection, entity),
    )

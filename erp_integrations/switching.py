"""Whether records would fit another ERP, asked before anybody switches to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erp_integrations import connections, outgoing
from erp_integrations.adapters.base import Adapter, EntityManifest, Manifest, Operation, Problem
from erp_integrations.clicks import Refusal
from erp_integrations.records import Draft, record_type
from erp_integrations.staging import command_for


@dataclass(frozen=True)
class InstalledAdapter:
    """An adapter that may be used here; ``entities`` are the record types that it takes."""

    key: str
    label: str
    entities: frozenset[str]

    def takes(self, entity: str) -> bool:
        """Whether records of this type can be sent with it."""
        return entity in self.entities


def installed_adapters() -> list[InstalledAdapter]:
    """The adapters that may be used here, in the order in which they are allowed."""
    found = []
    for key, adapter_class in connections.adapter_classes().items():
        manifest = adapter_class.manifest({})
        takes = {name for name, one in manifest.entities.items() if _creates(one)}
        found.append(InstalledAdapter(key, manifest.label, frozenset(takes)))
    return found


def check_against(
    entity: str, account_id: int, ids: Sequence[int], adapter_key: str
) -> list[Refusal]:
    """The records that an adapter with its default settings would not take, with every reason.

    Asks its rules, its form of codes and its own checks; nothing of an ERP. A record that is
    inactive or locked is judged like any other.

    :raises AdapterUnavailable: for one that is not installed or allowed here, or broken.
    """
    manifest, adapter = connections.unconnected(adapter_key, account_id)
    found = manifest.entities.get(entity)
    drafts = outgoing.drafts(record_type(entity), account_id, ids, found)
    clashes = outgoing.clashes(found, drafts)
    checked = [
        Refusal(
            draft.record_id,
            draft.label,
            (
                *_problems(draft, manifest, found, adapter),
                *([clashes[draft.record_id]] if draft.record_id in clashes else ()),
            ),
        )
        for draft in drafts
    ]
    return [one for one in checked if one.problems]


def _creates(one: EntityManifest) -> bool:
    return Operation.CREATE in one.operations


def _problems(
    draft: Draft, manifest: Manifest, entity: EntityManifest | None, adapter: Adapter
) -> list[Problem]:
    if entity is None:
        message = f"{manifest.label} does not take these records."
        return [Problem("connection", "unsupported", message)]
    found = outgoing.problems(entity, draft)
    found += adapter.validate(command_for(draft, None, entity=entity.entity))
    if not _creates(entity):
        message = f"{manifest.label} does not take new records from here."
        found.append(Problem("operation", "create", message))
    return found

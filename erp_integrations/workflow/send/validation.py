"""Validation of records that are to be sent. Each message says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from erp_integrations.adapters.base import Operation, Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import manifest_of
from erp_integrations.models import Item, Link, erp_records
from erp_integrations.models.record_types import Draft, RecordType
from erp_integrations.models.states import label_for_sender
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.commands import command_for
from erp_integrations.workflow.payloads.digest import digest
from erp_integrations.workflow.send.readiness import Readiness, readiness
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks
from erpbridge.ui.times import format_time


@dataclass
class Examination:
    """The result of :func:`examine`: a record without problems can be sent."""

    ready: Readiness
    drafts: list[Draft]
    problems: dict[int, list[Problem]] = field(default_factory=dict)
    open_items: dict[int, Item] = field(default_factory=dict)
    links: dict[int, Link] = field(default_factory=dict)

    def of(self, record_id: int) -> list[Problem]:
        """Return all reasons why a record cannot be sent now."""
        return [*self.ready.problems, *self.problems.get(record_id, [])]


def examine(
    kind: RecordType,
    ids: Sequence[int],
    *,
    access: Access,
    seen_revisions: Mapping[int, int] | None = None,
    known: Mapping[int, Sequence[Problem]] | None = None,
) -> Examination:
    """Validate records for sending, with a fixed number of queries per 500 records.

    :param seen_revisions: record id -> revision on the user's page, to refuse records that
        have changed.
    :param known: problems of records in the same request that were found before.
    """
    ready = readiness(kind.entity, access)
    drafts = payload_drafts.drafts(kind, access.account.pk, ids, ready.manifest)
    # A child also needs to know about its parent: whether it is linked or has an open item.
    parents = {draft.parent_id for draft in drafts if draft.parent_id is not None}
    family = sorted({*ids, *parents})
    known = known or {}
    examination = Examination(ready, drafts, open_items=_open_items(kind.entity, access, family))
    examination.problems = {pk: list(problems) for pk, problems in known.items()}
    if ready.connection:
        examination.links = erp_records.active_links(ready.connection, kind.entity, family)
    beyond = kind.problems(drafts)
    clashes = payload_drafts.clashes(ready.manifest, drafts)
    # Parents first, because a child is refused if its parent is.
    for draft in sorted(drafts, key=lambda draft: draft.depth):
        problems = [*known.get(draft.record_id, []), *beyond.get(draft.record_id, [])]
        problems += _stale(draft, seen_revisions)
        problems += _waiting(examination.open_items.get(draft.record_id))
        problems += _broken_rules(draft, examination)
        clash = clashes.get(draft.record_id)
        problems += [clash] if clash and clash not in problems else []
        problems += _parent_left_out(draft, examination)
        examination.problems[draft.record_id] = problems
    return examination


def _parent_left_out(draft: Draft, examination: Examination) -> list[Problem]:
    """A child needs a parent that is linked, has an open item, or is sent in the same request."""
    parent = draft.parent_id
    if parent is None or parent in examination.links or parent in examination.open_items:
        return []
    if parent not in examination.problems:
        message = "The code above it is not in the ERP. Send that too."
        return [Problem("parent", "parent_not_sent", message)]
    reasons = examination.problems[parent]
    if not reasons:
        return []
    message = reasons[0].message
    if reasons[0].rule != "parent_refused":
        # The prefix once, however many tiers are between the record and the cause.
        message = f"A code above it cannot be sent: {message}"
    return [Problem("parent", "parent_refused", message)]


def _open_items(entity: str, access: Access, ids: Sequence[int]) -> dict[int, Item]:
    items = Item.objects.filter(account=access.account, entity=entity).open()
    querysets = (
        items.filter(record_id__in=chunk).select_related("sent_by") for chunk in chunks(ids)
    )
    return {item.record_id: item for rows in querysets for item in rows}


def _stale(draft: Draft, seen_revisions: Mapping[int, int] | None) -> list[Problem]:
    # A record that is missing in ``seen_revisions`` was not on the page, and counts as changed.
    if seen_revisions is None or seen_revisions.get(draft.record_id) == draft.revision:
        return []
    message = (
        f"{draft.label} was changed since this page was opened. Review the current version, then "
        "send it."
    )
    return [Problem("revision", "stale", message)]


def _waiting(item: Item | None) -> list[Problem]:
    if item is None:
        return []
    words = label_for_sender(item.state)
    message = f"Already sent by {item.sent_by} on {format_time(item.sent_at)} ({words})."
    return [Problem("erp_state", "open", message, current=words)]


def _broken_rules(draft: Draft, examination: Examination) -> list[Problem]:
    """Problems by the manifest, the adapter, and whether the ERP accepts the operation."""
    manifest, adapter = examination.ready.manifest, examination.ready.adapter
    if manifest is None or adapter is None:
        return []
    link = examination.links.get(draft.record_id)
    problems = payload_drafts.problems(manifest, draft)
    problems += adapter.validate(command_for(draft, link, entity=manifest.entity))
    if link is None:
        if Operation.CREATE not in manifest.operations:
            message = f"{examination.ready.label} does not take new records from here."
            problems.append(Problem("operation", "create", message))
    elif Operation.UPDATE not in manifest.operations:
        message = f"It is synced, and {examination.ready.label} does not take changes from here."
        problems.append(Problem("operation", "update", message))
    elif link.synced_digest == digest(draft.payload):
        message = f"It is synced, and nothing has changed since {examination.ready.label} took it."
        problems.append(Problem("operation", "unchanged", message))
    return problems


@dataclass(frozen=True)
class Limit:
    """The maximum length of a field in the connected ERP, in characters."""

    field: str
    most: int
    erp_label: str


def limits(account_id: int, entity: str) -> dict[str, Limit]:
    """Return field -> length limit in the connected ERP, for counters on forms.

    Nothing is cut to a limit: longer values are refused when they are sent
    (docs/design/directory-and-companies.md, "Length of names").
    """
    connection = connection_services.active(account_id, entity)
    if connection is None:
        return {}
    try:
        manifest = manifest_of(connection)
    except AdapterUnavailable:
        return {}
    entity_manifest = manifest.entities.get(entity)
    if entity_manifest is None:
        return {}
    label = manifest.short_name
    lengths = {
        field.name: entity_manifest.max_length(field.name) for field in entity_manifest.fields
    }
    return {name: Limit(name, most, label) for name, most in lengths.items() if most is not None}

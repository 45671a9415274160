"""File delivery: a user makes a file, imports it into the ERP, and confirms the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations.adapters.base import (
    AdapterError,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Manifest,
    Operation,
    Outcome,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.wakeups import wake
from erp_integrations.export import engine, settle
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery import file_id_list
from erp_integrations.export.delivery.queued import claims_of
from erp_integrations.models import Attempt, Connection, ExportFile, Item
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import ItemEvent, State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.settlement import ErpRef, settle_synced
from erp_integrations.workflow.payloads import erp_keys
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.access.models import User
from erpbridge.db import batches
from erpbridge.db.batches import chunks
from erpbridge.db.durable_commits import durable
from erpbridge.json_values import Json

MOST_ITEMS = 1_000
# Items settled with one call.
SETTLE_BATCH = 100
LARGEST_RESULT = 10 * 1024 * 1024
NOT_IN_RESULT = "The ERP's result file does not name it."
NOT_IN_LIST = "The list of IDs does not name it."
# States of items whose ID was not known when their file was confirmed.
UNNAMED = (State.UNCERTAIN, State.NEEDS_ANSWER)


class NotDone(Exception):
    """A file could not be made or confirmed; the message is for users."""


@dataclass(frozen=True)
class Linked:
    """Result of a list of IDs; ``taken`` are the keys whose ID is linked to another record."""

    count: int
    taken: tuple[str, ...]


def waiting(connection: Connection, entity: str) -> ItemQuerySet:
    """The items that the next file would contain."""
    items: ItemQuerySet = Item.objects.filter(
        connection=connection, entity=entity, state=State.QUEUED, waits_for=None
    )
    return items


def make(connection: Connection, entity: str, *, by: User) -> ExportFile:
    """Put the waiting items into a file, in one transaction.

    :raises NotDone: if nothing waits, or the adapter cannot make the file.
    """
    file = _make(connection, entity, by=by)
    if file is None:
        # Raised after the commit: claiming has set items back to waiting for their parents.
        raise NotDone("Nothing waits for a file now, or the connection is paused.")
    return file


# A file that somebody has downloaded must still be known after the machine has crashed.
@durable()
@transaction.atomic
def _make(connection: Connection, entity: str, *, by: User) -> ExportFile | None:
    manifest = _manifest(connection)
    claims = claim(connection, manifest, most=MOST_ITEMS, entity=entity)
    tracing.claimed(claims)
    claims = engine.may_be_handed_over(connection, manifest, claims)
    if not claims:
        return None
    try:
        adapter = adapter_loading.adapter_of(connection)
        made = adapter.render_file([claimed.command for claimed in claims])
    except AdapterError as error:
        raise NotDone(f"The file could not be made: {error}") from error
    file = ExportFile.objects.create(
        connection=connection,
        entity=entity,
        # The name comes from the adapter, and could be a path.
        name=PurePath(made.name).name[:100] or "export",
        content_type=made.content_type[:100],
        content=made.content,
        count=len(claims),
        made_by=by,
    )
    path = PurePath(file.name)
    file.name = f"{path.stem}-{file.pk}{path.suffix}"
    file.save(update_fields=["name"])
    values = {"lease_until": None, "check_after": None, "handle": file.handle}
    items = Item.objects.filter(pk__in=[claimed.item.pk for claimed in claims])
    transitions.move(ItemEvent.SUBMIT, items, by=by, why=f"In file {file.name}", values=values)
    _note(file, ConnectionEvent.FILE_MADE, by=by)
    return file


def _manifest(connection: Connection) -> Manifest:
    """:raises NotDone: if the adapter cannot be used or does not deliver by file."""
    try:
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable as error:
        raise NotDone(str(error)) from error
    if manifest.delivery != Delivery.FILE:
        raise NotDone("This connection delivers without files.")
    return manifest


def _note(file: ExportFile, verb: ConnectionEvent, *, by: User) -> None:
    data: Mapping[str, Json] = {"file": file.name, "items": file.count, "verdict": file.verdict}
    connection_services.note_event(file.connection, verb, by=by, **data)


@transaction.atomic
def confirm(
    file: ExportFile, verdict: ExportFile.Verdict, *, by: User, result: bytes | None = None
) -> int:
    """Settle the items of a file by a user's verdict or by the ERP's result file.

    :param result: the ERP's result file or a filled list of IDs, depending on the verdict.
    :returns: how many items were settled; the others need an answer, or wait for the next file.
    :raises NotDone: if the file was confirmed already, the result is not of this file, or the IDs
        that the ERP gave are missing.
    """
    # The connection is locked before its items (docs/locks.md).
    Connection.objects.select_for_update(no_key=True).get(pk=file.connection_id)
    confirmed = {"verdict": verdict, "confirmed_by": by, "confirmed_at": Now()}
    if not ExportFile.objects.filter(pk=file.pk, confirmed_at=None).update(**confirmed):
        raise NotDone("Somebody has confirmed this file already.")
    items = Item.objects.filter(
        connection=file.connection_id, state=State.SUBMITTED, handle=file.handle
    )
    claims = claims_of(list(items.select_related("request")))
    file.verdict = verdict
    _note(file, ConnectionEvent.FILE_CONFIRMED, by=by)
    if verdict == ExportFile.Verdict.NONE:
        _requeue(claims, why=f"Nothing of file {file.name} was imported", by=by)
        return 0
    outcomes = _outcomes(file, claims, result)
    answers, manifest = settle.answers_of(claims, outcomes), _manifest(file.connection)
    for chunk in chunks(answers, SETTLE_BATCH):
        settle.settle(file.connection, manifest, chunk)
    wake(file.connection_id)
    return sum(outcome.error is None for outcome in outcomes)


def _outcomes(file: ExportFile, claims: list[Claim], result: bytes | None) -> list[Outcome]:
    """The outcome of each claim by the file's verdict.

    :raises NotDone: without a result file that the verdict needs, or with one that is wrong.
    """
    if file.verdict == ExportFile.Verdict.ALL:
        return _all_imported(file, claims)
    if result is None:
        raise NotDone("Choose the result file.")
    by_ids = file.verdict == ExportFile.Verdict.IDS
    return (_by_ids if by_ids else _by_result)(file, claims, result)


def _by_result(file: ExportFile, claims: list[Claim], result: bytes) -> list[Outcome]:
    """:raises NotDone: for a result file that cannot be read, or is of another file."""
    try:
        outcomes = adapter_loading.adapter_of(file.connection).read_result(result)
    except (AdapterError, AdapterUnavailable) as error:
        raise NotDone(str(error)) from error
    if not any(claimed.command.intent in outcomes for claimed in claims):
        raise NotDone(f"This result names nothing that is in {file.name}.")
    unknown = ErpError(ErrorClass.BUG, Effect.UNCERTAIN, NOT_IN_RESULT)
    return [outcomes.get(claimed.command.intent, Outcome(error=unknown)) for claimed in claims]


def without_ids(connection: Connection, files: Sequence[ExportFile]) -> set[str]:
    """Handles of the files with records whose ID in the ERP only a user can tell.

    Known are the IDs of records that were linked before, and those of record types whose key is
    the ID.
    """
    try:
        entities = adapter_loading.manifest_of(connection).entities
    except AdapterUnavailable:
        return set()
    keyed = {name for name, entity in entities.items() if entity.key_is_id}
    handles = [file.handle for file in files if file.entity not in keyed]
    unlinked = Item.objects.filter(
        connection=connection, handle__in=handles, operation=Operation.CREATE
    )
    return set(unlinked.values_list("handle", flat=True).distinct())


def id_list(file: ExportFile) -> bytes:
    """The list in which a user enters the unknown IDs; see ``file_id_list``."""
    items = Item.objects.filter(connection=file.connection_id, handle=file.handle)
    unknown = items.filter(operation=Operation.CREATE, state__in=[State.SUBMITTED, *UNNAMED])
    new = unknown.order_by("depth", "pk")
    return file_id_list.blank(new.values_list("erp_key", flat=True))


def _all_imported(file: ExportFile, claims: list[Claim]) -> list[Outcome]:
    """:raises NotDone: if the IDs that the ERP gave are not known."""
    if without_ids(file.connection, [file]):
        raise NotDone(
            "The ERP gave new records an ID of their own. Choose its result file, or fill in the "
            "list of IDs."
        )
    # A record without a link has its key as ID: without_ids() has ruled out the others.
    linked_ids = _linked_ids(file, claims)
    answer = "A person confirmed that all of the file was imported."
    return [
        _applied(
            claimed,
            ErpRef(linked_ids.get(claimed.item.record_id) or claimed.command.key, ""),
            answer,
        )
        for claimed in claims
    ]


def _read_ids(file: ExportFile, content: bytes) -> tuple[dict[str, ErpRef], Callable[[str], str]]:
    """A list of IDs by normalized key, and the function that normalizes a key.

    :raises NotDone: for a list that cannot be read.
    """
    entity = _manifest(file.connection).entities.get(file.entity)
    compared = partial(erp_keys.compared, entity)
    try:
        return file_id_list.read(content, compared), compared
    except file_id_list.BadList as error:
        raise NotDone(f"The list of IDs cannot be read. {error}") from error


def _by_ids(file: ExportFile, claims: list[Claim], content: bytes) -> list[Outcome]:
    """:raises NotDone: for a list that cannot be read, or names nothing of the file."""
    listed, compared = _read_ids(file, content)
    linked_ids = _linked_ids(file, claims)
    outcomes = [
        _outcome_by_list(claimed, listed.get(compared(claimed.command.key)), linked_ids)
        for claimed in claims
    ]
    if all(outcome.error for outcome in outcomes):
        raise NotDone(f"This list names nothing that is in {file.name}.")
    return outcomes


def _outcome_by_list(
    claimed: Claim, listed: ErpRef | None, linked_ids: Mapping[int, str]
) -> Outcome:
    """A record that was linked before keeps its ID; another ID in the list is an error."""
    linked = linked_ids.get(claimed.item.record_id)
    if listed is None or (linked and listed.erp_id != linked):
        why = NOT_IN_LIST
        if listed is not None:
            why = f"The list has the ID {listed.erp_id}, but the record is linked to {linked}."
        return Outcome(error=ErpError(ErrorClass.BUG, Effect.UNCERTAIN, why))
    return _applied(claimed, listed, "A person confirmed the import and named the ID.")


def unnamed(connection: Connection, entities: Sequence[str]) -> ItemQuerySet:
    """New records of confirmed files whose ID in the ERP is not known yet."""
    items: ItemQuerySet = Item.objects.filter(
        connection=connection,
        entity__in=entities,
        state__in=UNNAMED,
        operation=Operation.CREATE,
        handle__startswith=ExportFile.HANDLE,
    )
    return items


def count_unnamed(connection: Connection, files: Sequence[ExportFile]) -> Counter[str]:
    """File handle -> how many of its records have no ID yet."""
    entities = {file.entity for file in files}
    return Counter(unnamed(connection, sorted(entities)).values_list("handle", flat=True))


@transaction.atomic
def link_unnamed(file: ExportFile, content: bytes, *, by: User) -> Linked:
    """Link records that were confirmed without an ID to the IDs of a list.

    The records may be in any file of the connection. The ERP's record under the ID has not been
    compared with what was sent.

    :raises NotDone: for a list that cannot be read.
    """
    listed, compared = _read_ids(file, content)
    Connection.objects.select_for_update(no_key=True).get(pk=file.connection_id)
    records = {
        item.pk: ErpRef(row.erp_id, item.erp_key, row.erp_version)
        for item in unnamed(file.connection, [file.entity]).order_by("pk")
        if (row := listed.get(compared(item.erp_key)))
    }
    why = f"Named by the list of IDs read for file {file.name}"
    linked: set[int] = set()
    for ids in batches.chunks(list(records)):
        items: ItemQuerySet = Item.objects.filter(pk__in=ids)
        # Only NEEDS_ANSWER can be answered; items that are still UNCERTAIN are moved there first.
        transitions.move(ItemEvent.ASK, items, by=by, values={"check_after": None})
        batch = {pk: records[pk] for pk in ids}
        linked |= settle_synced(
            file.connection,
            items,
            batch,
            event=ItemEvent.ANSWER_THERE,
            by=by,
            why=why,
            as_sent=False,
        )
    if linked:
        wake(file.connection_id)
    taken = tuple(record.erp_code for pk, record in records.items() if pk not in linked)
    return Linked(len(linked), taken)


def _applied(claimed: Claim, record: ErpRef, answer: str) -> Outcome:
    return Outcome(
        erp_id=record.erp_id,
        erp_code=claimed.command.key,
        erp_version=record.erp_version,
        answer=answer,
    )


def _linked_ids(file: ExportFile, claims: list[Claim]) -> dict[int, str]:
    """Record id -> its ID in the ERP, for records that an earlier export has linked."""
    records = [claimed.item.record_id for claimed in claims]
    links = active_links(file.connection, file.entity, records)
    return {record: link.erp_id for record, link in links.items()}


def _requeue(claims: list[Claim], *, why: str, by: User) -> None:
    """Nothing of the file was imported: the same commands wait for the next file."""
    items: ItemQuerySet = Item.objects.filter(pk__in=[claimed.item.pk for claimed in claims])
    # There is no direct move from SUBMITTED back to QUEUED: the path leads through UNCERTAIN.
    transitions.move(ItemEvent.LOSE, items, by=by, why=why, values={"check_after": None})
    values = {"handle": "", "looks": 0, "not_before": None, "attempts": 0}
    transitions.move(ItemEvent.RESEND, items, by=by, why=why, values=values)
    attempts = Attempt.objects.filter(pk__in=[claimed.attempt.pk for claimed in claims])
    outcome = Attempt.Outcome.NOT_APPLIED
    attempts.update(outcome=outcome, answer_excerpt=why, **settle.answered())

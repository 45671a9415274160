"""The file delivery: a person makes a file, imports it into the ERP, and says what became of it."""

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
from erp_integrations.connections.wakeups import wake
from erp_integrations.export import engine, settle
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery import file_id_list
from erp_integrations.export.delivery.queued import claims_of
from erp_integrations.models import Attempt, Connection, ExportFile, Item
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.states import State
from erp_integrations.workflow import tracing, transitions
from erp_integrations.workflow.links.settlement import Held, settle_synced
from erp_integrations.workflow.payloads import erp_keys
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.access.models import User
from erpbridge.audit.services import Note, note
from erpbridge.db import batches
from erpbridge.db.durable_commits import durable

MOST_ITEMS = 1_000
# Settled in one go.
SOME = 100
LARGEST_RESULT = 10 * 1024 * 1024
NOT_IN_RESULT = "The ERP's result file does not name it."
NOT_IN_LIST = "The list of IDs does not name it."
# What became of the item was not said when its file was confirmed.
UNNAMED = (State.UNCERTAIN, State.NEEDS_ANSWER)


class NotDone(Exception):
    """A file could not be made or confirmed; the message says why, for the page."""


@dataclass(frozen=True)
class Linked:
    """What a list of IDs came to; ``taken`` are the keys whose ID another record has."""

    count: int
    taken: tuple[str, ...]


def waiting(connection: Connection, entity: str) -> ItemQuerySet:
    """The items that the next file would hold."""
    found: ItemQuerySet = Item.objects.filter(
        connection=connection, entity=entity, state=State.QUEUED, waits_for=None
    )
    return found


def make(connection: Connection, entity: str, *, by: User) -> ExportFile:
    """Put what waits into a file: all of it or, if this process dies, none. :raises NotDone:"""
    made = _make(connection, entity, by=by)
    if made is None:
        # Said only now, so that what was found to wait for its parent does wait.
        raise NotDone("Nothing waits for a file now, or the connection is paused.")
    return made


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
        made = adapter_loading.adapter_of(connection).render_file([one.command for one in claims])
    except AdapterError as error:
        raise NotDone(f"The file could not be made: {error}") from error
    file = ExportFile.objects.create(
        connection=connection,
        entity=entity,
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
    items = Item.objects.filter(pk__in=[one.item.pk for one in claims])
    transitions.move("submit", items, by=by, why=f"In file {file.name}", values=values)
    _note(file, "file_made", by=by)
    return file


def _manifest(connection: Connection) -> Manifest:
    """:raises NotDone:"""
    try:
        manifest = adapter_loading.manifest_of(connection)
    except AdapterUnavailable as error:
        raise NotDone(str(error)) from error
    if manifest.delivery != Delivery.FILE:
        raise NotDone("This connection delivers without files.")
    return manifest


def _note(file: ExportFile, verb: str, *, by: User) -> None:
    connection = file.connection
    data = {"file": file.name, "items": file.count, "verdict": file.verdict}
    one = Note(adapter_loading.ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [one], by=by)


@transaction.atomic
def confirm(file: ExportFile, verdict: str, *, by: User, result: bytes | None = None) -> int:
    """Settle the items of a file by what a person, or the ERP's result file, says of it.

    :param result: the ERP's result file, or a filled list of IDs, as the verdict says.
    :returns: how many it settled; the others need an answer, or wait for the next file.
    :raises NotDone: for a file that is confirmed already, a result that is not this file's, and
        where nobody says which IDs the ERP gave.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=file.connection_id)
    confirmed = {"verdict": verdict, "confirmed_by": by, "confirmed_at": Now()}
    if not ExportFile.objects.filter(pk=file.pk, confirmed_at=None).update(**confirmed):
        raise NotDone("Somebody has confirmed this file already.")
    items = Item.objects.filter(
        connection=file.connection_id, state=State.SUBMITTED, handle=file.handle
    )
    claims = claims_of(list(items.select_related("request")))
    file.verdict = verdict
    _note(file, "file_confirmed", by=by)
    if verdict == ExportFile.Verdict.NONE:
        _take_back(claims, why=f"Nothing of file {file.name} was imported", by=by)
        return 0
    outcomes = _outcomes(file, claims, result)
    answers, manifest = list(zip(claims, outcomes, strict=True)), _manifest(file.connection)
    for start in range(0, len(answers), SOME):
        settle.settle(file.connection, manifest, answers[start : start + SOME])
    wake(file.connection_id)
    return sum(outcome.error is None for outcome in outcomes)


def _outcomes(file: ExportFile, claims: list[Claim], result: bytes | None) -> list[Outcome]:
    """What became of the claims, by the file's verdict. :raises NotDone:"""
    if file.verdict == ExportFile.Verdict.ALL:
        return _all_there(file, claims)
    if result is None:
        raise NotDone("Choose the file that says what became of it.")
    by_ids = file.verdict == ExportFile.Verdict.IDS
    return (_by_ids if by_ids else _by_result)(file, claims, result)


def _by_result(file: ExportFile, claims: list[Claim], result: bytes) -> list[Outcome]:
    """:raises NotDone:"""
    try:
        found = adapter_loading.adapter_of(file.connection).read_result(result)
    except (AdapterError, AdapterUnavailable) as error:
        raise NotDone(str(error)) from error
    if not any(one.command.intent in found for one in claims):
        raise NotDone(f"This result names nothing that is in {file.name}.")
    unknown = ErpError(ErrorClass.BUG, Effect.UNCERTAIN, NOT_IN_RESULT)
    return [found.get(one.command.intent, Outcome(error=unknown)) for one in claims]


def without_ids(connection: Connection, files: Sequence[ExportFile]) -> set[str]:
    """Handles of those files with records whose ID in the ERP nobody can know without being told.

    Records that were linked before have one, and so has every record of an ERP whose key it is.
    """
    try:
        entities = adapter_loading.manifest_of(connection).entities
    except AdapterUnavailable:
        return set()
    keyed = {name for name, one in entities.items() if one.key_is_id}
    handles = [one.handle for one in files if one.entity not in keyed]
    unlinked = Item.objects.filter(
        connection=connection, handle__in=handles, operation=Operation.CREATE
    )
    return set(unlinked.values_list("handle", flat=True).distinct())


def id_list(file: ExportFile) -> bytes:
    """The list in which a person names the IDs that are not known; see ``id_lists``."""
    items = Item.objects.filter(connection=file.connection_id, handle=file.handle)
    unknown = items.filter(operation=Operation.CREATE, state__in=[State.SUBMITTED, *UNNAMED])
    new = unknown.order_by("depth", "pk")
    return file_id_list.blank(new.values_list("erp_key", flat=True))


def _all_there(file: ExportFile, claims: list[Claim]) -> list[Outcome]:
    """:raises NotDone: where nobody can know what the ERP calls the records."""
    if without_ids(file.connection, [file]):
        raise NotDone(
            "The ERP gave new records an ID of their own. Choose its result file, or fill in the "
            "list of IDs."
        )
    known = _linked(file, claims)
    said = "A person confirmed that all of the file was imported."
    return [
        _named(one, Held(known.get(one.item.record_id) or one.command.key, ""), said)
        for one in claims
    ]


def _read_ids(file: ExportFile, content: bytes) -> tuple[dict[str, Held], Callable[[str], str]]:
    """A list of IDs, by keys as the ERP compares them, and how it does. :raises NotDone:"""
    entity = _manifest(file.connection).entities.get(file.entity)
    compared = partial(erp_keys.compared, entity)
    try:
        return file_id_list.read(content, compared), compared
    except file_id_list.BadList as error:
        raise NotDone(f"The list of IDs cannot be read. {error}") from error


def _by_ids(file: ExportFile, claims: list[Claim], content: bytes) -> list[Outcome]:
    """:raises NotDone: for a list that cannot be read, or names nothing of the file."""
    listed, compared = _read_ids(file, content)
    known = _linked(file, claims)
    outcomes = [_listed(one, listed.get(compared(one.command.key)), known) for one in claims]
    if all(outcome.error for outcome in outcomes):
        raise NotDone(f"This list names nothing that is in {file.name}.")
    return outcomes


def _listed(one: Claim, found: Held | None, known: Mapping[int, str]) -> Outcome:
    """A record that was linked before keeps its ID, whatever a person types."""
    linked = known.get(one.item.record_id)
    if found is None or (linked and found.erp_id != linked):
        why = NOT_IN_LIST if found is None else f"The list says {found.erp_id}, we know {linked}."
        return Outcome(error=ErpError(ErrorClass.BUG, Effect.UNCERTAIN, why))
    return _named(one, found, "A person confirmed the import and named the ID.")


def unnamed(connection: Connection, entities: Sequence[str]) -> ItemQuerySet:
    """New records of confirmed files whose ID in the ERP nobody has said yet."""
    found: ItemQuerySet = Item.objects.filter(
        connection=connection,
        entity__in=entities,
        state__in=UNNAMED,
        operation=Operation.CREATE,
        handle__startswith=ExportFile.HANDLE,
    )
    return found


def count_unnamed(connection: Connection, files: Sequence[ExportFile]) -> Counter[str]:
    """Of each file, by its handle, how many records it left without an ID."""
    entities = {one.entity for one in files}
    return Counter(unnamed(connection, sorted(entities)).values_list("handle", flat=True))


@transaction.atomic
def link_unnamed(file: ExportFile, content: bytes, *, by: User) -> Linked:
    """Link what earlier confirmations left without an ID to what a list says, whichever file of
    the connection it was in. What the ERP holds under the ID was not compared with what was sent.

    :raises NotDone: for a list that cannot be read.
    """
    listed, compared = _read_ids(file, content)
    Connection.objects.select_for_update(no_key=True).get(pk=file.connection_id)
    held = {
        item.pk: Held(row.erp_id, item.erp_key, row.erp_version)
        for item in unnamed(file.connection, [file.entity]).order_by("pk")
        if (row := listed.get(compared(item.erp_key)))
    }
    why = f"Named by the list of IDs read for file {file.name}"
    linked: set[int] = set()
    for ids in batches.chunks(list(held)):
        items: ItemQuerySet = Item.objects.filter(pk__in=ids)
        transitions.move("ask", items, by=by, values={"check_after": None})
        some = {pk: held[pk] for pk in ids}
        linked |= settle_synced(
            file.connection_id, items, some, event="answer_there", by=by, why=why, as_sent=False
        )
    if linked:
        wake(file.connection_id)
    return Linked(len(linked), tuple(one.erp_code for pk, one in held.items() if pk not in linked))


def _named(one: Claim, held: Held, said: str) -> Outcome:
    return Outcome(
        erp_id=held.erp_id, erp_code=one.command.key, erp_version=held.erp_version, answer=said
    )


def _linked(file: ExportFile, claims: list[Claim]) -> dict[int, str]:
    """Record -> the ID under which the ERP has known it since an earlier export."""
    records = [one.item.record_id for one in claims]
    links = active_links(file.connection, file.entity, records)
    return {record: link.erp_id for record, link in links.items()}


def _take_back(claims: list[Claim], *, why: str, by: User) -> None:
    """Known not to be there: the same commands wait for the next file."""
    found: ItemQuerySet = Item.objects.filter(pk__in=[one.item.pk for one in claims])
    transitions.move("lose", found, by=by, why=why, values={"check_after": None})
    back = {"handle": "", "looks": 0, "not_before": None, "attempts": 0}
    transitions.move("resend", found, by=by, why=why, values=back)
    tries = Attempt.objects.filter(pk__in=[one.attempt.pk for one in claims])
    outcome = Attempt.Outcome.NOT_APPLIED
    tries.update(outcome=outcome, answer_excerpt=why, **settle.answered())

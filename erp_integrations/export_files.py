"""The file delivery: a person makes a file, imports it into the ERP, and says what became of it."""

from __future__ import annotations

from pathlib import PurePath

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations import connections, engine, moves
from erp_integrations.adapters.base import (
    AdapterError,
    Delivery,
    Effect,
    ErpError,
    ErrorClass,
    Manifest,
    Outcome,
)
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.claiming import Claim, claim
from erp_integrations.links import active_links
from erp_integrations.models import Attempt, Connection, ExportFile, Item
from erp_integrations.pending import claims_of
from erp_integrations.queries import ItemQuerySet
from erp_integrations.states import State
from erp_integrations.wakeups import wake
from erpbridge.access.models import User
from erpbridge.audit.record import Note, note

MOST_ITEMS = 1_000
# Settled in one go.
SOME = 100
LARGEST_RESULT = 10 * 1024 * 1024
NOT_IN_RESULT = "The ERP's result file does not name it."


class NotDone(Exception):
    """A file could not be made or confirmed; the message says why, for the page."""


def waiting(connection: Connection, entity: str) -> ItemQuerySet:
    """The items that the next file would hold."""
    found: ItemQuerySet = Item.objects.filter(
        connection=connection, entity=entity, state=State.QUEUED, waits_for=None
    )
    return found


@transaction.atomic
def make(connection: Connection, entity: str, *, by: User) -> ExportFile:
    """Put what waits into a file: all of it or, if this process dies, none. :raises NotDone:"""
    manifest = _manifest(connection)
    claims = claim(connection, manifest, most=MOST_ITEMS, entity=entity)
    if not claims:
        raise NotDone("Nothing waits for a file now, or the connection is paused.")
    try:
        made = connections.adapter_of(connection).render_file([one.command for one in claims])
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
    moves.move("submit", items, by=by, why=f"In file {file.name}", values=values)
    _note(file, "file_made", by=by)
    return file


def _manifest(connection: Connection) -> Manifest:
    """:raises NotDone:"""
    try:
        manifest = connections.manifest_of(connection)
    except AdapterUnavailable as error:
        raise NotDone(str(error)) from error
    if manifest.delivery != Delivery.FILE:
        raise NotDone("This connection delivers without files.")
    return manifest


def _note(file: ExportFile, verb: str, *, by: User) -> None:
    connection = file.connection
    data = {"file": file.name, "items": file.count, "verdict": file.verdict}
    one = Note(connections.ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [one], by=by)


@transaction.atomic
def confirm(file: ExportFile, verdict: str, *, by: User, result: bytes | None = None) -> int:
    """Settle the items of a file by what a person, or the ERP's result file, says of it.

    :returns: how many it settled; the others need an answer, or wait for the next file.
    :raises NotDone: for a file that is confirmed already, and a result that is not this file's.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=file.connection_id)
    confirmed = {"verdict": verdict, "confirmed_by": by, "confirmed_at": Now()}
    if not ExportFile.objects.filter(pk=file.pk, confirmed_at=None).update(**confirmed):
        raise NotDone("Somebody has confirmed this file already.")
    items = Item.objects.filter(
        connection=file.connection_id, state=State.SUBMITTED, handle=file.handle
    )
    claims = claims_of(list(items))
    file.verdict = verdict
    _note(file, "file_confirmed", by=by)
    if verdict == ExportFile.Verdict.NONE:
        _take_back(claims, why=f"Nothing of file {file.name} was imported", by=by)
        return 0
    outcomes = _by_result(file, claims, result) if result is not None else _all_there(file, claims)
    answers, manifest = list(zip(claims, outcomes, strict=True)), _manifest(file.connection)
    for start in range(0, len(answers), SOME):
        engine.settle(file.connection, manifest, answers[start : start + SOME])
    wake(file.connection_id)
    return sum(outcome.error is None for outcome in outcomes)


def _by_result(file: ExportFile, claims: list[Claim], result: bytes) -> list[Outcome]:
    """:raises NotDone:"""
    try:
        found = connections.adapter_of(file.connection).read_result(result)
    except (AdapterError, AdapterUnavailable) as error:
        raise NotDone(str(error)) from error
    if not any(one.command.intent in found for one in claims):
        raise NotDone(f"This result names nothing that is in {file.name}.")
    unknown = ErpError(ErrorClass.BUG, Effect.UNCERTAIN, NOT_IN_RESULT)
    return [found.get(one.command.intent, Outcome(error=unknown)) for one in claims]


def _all_there(file: ExportFile, claims: list[Claim]) -> list[Outcome]:
    """Without a result file the ERP's key is all the name that a record has."""
    records = [one.item.record_id for one in claims]
    links = active_links(file.connection, file.entity, records)
    known = {record: link.erp_id for record, link in links.items()}
    return [
        Outcome(
            erp_id=known.get(one.item.record_id) or one.command.key,
            erp_code=one.command.key,
            answer="A person confirmed that all of the file was imported.",
        )
        for one in claims
    ]


def _take_back(claims: list[Claim], *, why: str, by: User) -> None:
    """Known not to be there: the same commands wait for the next file."""
    found: ItemQuerySet = Item.objects.filter(pk__in=[one.item.pk for one in claims])
    moves.move("lose", found, by=by, why=why, values={"check_after": None})
    back = {"handle": "", "looks": 0, "not_before": None, "attempts": 0}
    moves.move("resend", found, by=by, why=why, values=back)
    tries = Attempt.objects.filter(pk__in=[one.attempt.pk for one in claims])
    tries.update(outcome=Attempt.Outcome.NOT_APPLIED, answered_at=Now(), answer_excerpt=why)

"""Simulators that would lose data: each has one mistake that an adapter of an ERP may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import (
    Adapter,
    Command,
    EntityManifest,
    Field,
    Found,
    Operation,
    Outcome,
    Page,
    Rule,
    RuleKind,
    Wire,
)
from erp_integrations.adapters.conformance import cannot
from erp_integrations.adapters.simulator import SimulatorAdapter

Broken = type[SimulatorAdapter]


def declaring(change: Callable[[EntityManifest], EntityManifest], **manifest: Any) -> Broken:
    """A simulator with another manifest of vendors."""

    class Declaring(SimulatorAdapter):
        @classmethod
        def manifest(cls, config):
            usual = super().manifest(config)
            vendor = change(usual.entities["vendor"])
            return replace(usual, entities={**usual.entities, "vendor": vendor}, **manifest)

    return Declaring


def unchanged(entity: EntityManifest) -> EntityManifest:
    return entity


def with_rules(*rules: Rule) -> Broken:
    """A simulator whose name has these rules."""

    def change(entity: EntityManifest) -> EntityManifest:
        return replace(entity, fields=(replace(entity.fields[0], rules=rules), *entity.fields[1:]))

    return declaring(change)


def answering(change: Callable[[Outcome], Outcome]) -> Broken:
    """A simulator whose outcomes are changed."""

    class Answering(SimulatorAdapter):
        def submit(self, commands):
            return [change(outcome) for outcome in super().submit(commands)]

    return Answering


def with_error(outcome: Outcome, **values: Any) -> Outcome:
    error = outcome.error
    return replace(outcome, error=replace(error, **values)) if error else outcome


def reading(change: Callable[[Found], Found], *calls: str) -> Broken:
    """A simulator whose records are changed, as these calls return them."""

    class Reading(SimulatorAdapter):
        def find(self, entity, key):
            record = super().find(entity, key)
            return change(record) if record and "find" in calls else record

        def find_many(self, entity, keys):
            records = super().find_many(entity, keys)
            return [change(one) if one and "find_many" in calls else one for one in records]

        def fetch(self, entity, erp_id):
            record = super().fetch(entity, erp_id)
            return change(record) if record and "fetch" in calls else record

        def pull(self, entity, cursor="", since=""):
            page = super().pull(entity, cursor, since)
            records = tuple(change(one) for one in page.records)
            return replace(page, records=records) if "pull" in calls else page

    return Reading


# --- names of the payload -------------------------------------------------------------------


def for_town(entity: EntityManifest) -> EntityManifest:
    fields = [Field("town", "Town", "city") if f.name == "city" else f for f in entity.fields]
    return replace(entity, fields=tuple(fields), shows=())


class AskingForTown(SimulatorAdapter):
    """Sends the town of a company as its city, which no payload has."""

    def submit(self, commands):
        return super().submit([self.with_town(command) for command in commands])

    def with_town(self, command: Command) -> Command:
        payload = {**command.payload, "city": command.payload.get("town") or ""}
        return replace(command, payload=payload)


class ShowingTown(SimulatorAdapter):
    """Says that the city comes from the town."""

    def preview(self, command):
        wire = super().preview(command)
        fields = (replace(f, source="town") if f.source == "city" else f for f in wire.fields)
        return Wire(tuple(fields), wire.text)


class Cutting(with_rules(Rule(RuleKind.MAX_LENGTH, "name", 60))):  # type: ignore[misc]
    """Declares twice the length that its ERP takes, and cuts names to it."""

    def submit(self, commands):
        return super().submit([self.cut(command) for command in commands])

    def cut(self, command: Command) -> Command:
        return replace(command, payload={**command.payload, "name": command.payload["name"][:30]})


# --- reading --------------------------------------------------------------------------------


def with_erp_names(record: Found) -> Found:
    data = {("vendor_name" if name == "name" else name): v for name, v in record.data.items()}
    return replace(record, data=data)


class NotPulling(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        raise NotImplementedError("pull is not written yet")


class HidingPull(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        cannot("Reading is for later.")


class OnePage(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        return replace(super().pull(entity, cursor, since), cursor="")


class SamePage(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        return replace(super().pull(entity), cursor="again")


class NoLastPage(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        return Page((), cursor=f"{int(cursor or 0) + 1}")


class CountingOn(SimulatorAdapter):
    """Goes on after as many records as it has read, which are fewer once one is deleted."""

    def pull(self, entity, cursor="", since=""):
        page = super().pull(entity)
        records = page.records
        while page.cursor:
            page = super().pull(entity, page.cursor)
            records += page.records
        start = int(cursor or 0)
        reached = start + 100
        return Page(records[start:reached], cursor=str(reached) if reached < len(records) else "")


class WithoutPoint(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        return replace(super().pull(entity, cursor, since), point="")


class MissingChanges(SimulatorAdapter):
    """Tells only what is new, by the highest number of the pull before."""

    def pull(self, entity, cursor="", since=""):
        page = super().pull(entity, cursor)
        highest = max((int(record.erp_id) for record in page.records), default=0)
        records = tuple(one for one in page.records if int(one.erp_id) > int(since or 0))
        return replace(page, records=records, point=str(highest))


class WithoutDeletions(SimulatorAdapter):
    def pull(self, entity, cursor="", since=""):
        return replace(super().pull(entity, cursor, since), deleted=())


class FindingParts(SimulatorAdapter):
    """Takes what the ERP's search finds, which looks for a part of a code."""

    def find_many(self, entity, keys):
        held = super().pull(entity).records
        return [next((one for one in held if key in one.erp_code), None) for key in keys]


class Exact(SimulatorAdapter):
    """Compares keys with their case, unlike its ERP."""

    def find_many(self, entity, keys):
        records = super().find_many(entity, keys)
        pairs = zip(keys, records, strict=True)
        return [record if record and record.erp_code == key else None for key, record in pairs]


class Sorting(SimulatorAdapter):
    """Answers in the order of the ERP."""

    def find_many(self, entity, keys):
        return super().find_many(entity, sorted(keys))


class Forgetting(SimulatorAdapter):
    def find_many(self, entity, keys):
        records = super().find_many(entity, keys)
        return [None, *records[1:]] if len(keys) > 1 else records


class AnsweringFewer(SimulatorAdapter):
    def find_many(self, entity, keys):
        records = super().find_many(entity, keys)
        return [record for record in records if record] if len(keys) > 1 else records


# --- settings and acceptance ----------------------------------------------------------------


class NotFetching(SimulatorAdapter):
    fetch = Adapter.fetch


class NeedingPassword(SimulatorAdapter):
    def __init__(self, config, secrets, io):
        super().__init__(config, secrets, io)
        self.password = secrets["password"]


class Erasing(SimulatorAdapter):
    """Writes the blank values that an update has in place of the approver's."""

    def submit(self, commands):
        outcomes = super().submit(commands)
        if commands[0].operation is Operation.UPDATE:
            with self.ledger.transaction() as db:
                db.execute("UPDATE vendor SET vendor_type = ''")
        return outcomes

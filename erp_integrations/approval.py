"""Accept and reject: the decisions of accounting, and what follows a failure.

Accepting stores the decision and the work in one transaction; a message only wakes a worker up.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from erp_integrations import connections, moves, proposals, rules
from erp_integrations.adapters.base import EntityManifest, Operation, Problem
from erp_integrations.clicks import Done, Refusal, record_click
from erp_integrations.commands import command_of
from erp_integrations.links import active_links
from erp_integrations.models import Choice, Connection, ErpRecord, Item, Link, Request
from erp_integrations.moves import chunks
from erp_integrations.queries import ItemQuerySet
from erp_integrations.settling import NO_ERROR
from erp_integrations.states import IN_AIR, MOVES, State
from erp_integrations.wakeups import wake
from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Decision:
    """Accept one item as it was seen, with the values of the adapter's acceptance fields."""

    item_id: int
    digest: str
    values: Mapping[str, Any] = field(default_factory=dict)


def erp_key(manifest: EntityManifest, item: Item, values: Mapping[str, Any]) -> str:
    """What makes the record unique in the ERP, normalised by the ERP's case rule."""
    parts = [str(values.get(name) or item.payload.get(name) or "") for name in manifest.key]
    key = "|".join(part.strip() for part in parts)
    return key if manifest.key_case_sensitive else key.upper()


def accept(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Accept waiting items; each is checked by itself, and the good ones go although others are
    refused. The caller has asked the policy.
    """
    return _decide("accept", decisions, entity=entity, access=access)


def retry(decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    """Export failed items once more, as they were accepted or with other values.

    A failure means that the ERP did not take the command, so the retry is a new command with an
    intent of its own.
    """
    return _decide("retry", decisions, entity=entity, access=access)


def _decide(event: str, decisions: Sequence[Decision], *, entity: str, access: Access) -> Done:
    wanted = {decision.item_id: decision for decision in decisions}
    with transaction.atomic():
        items = _visible(access, entity, sorted(wanted))
        refused: list[Refusal] = []
        accepted = 0
        click = record_click(access, entity=entity, verb=event, done=0, refused=[])
        by_connection: dict[int, list[Item]] = {}
        for item in items:
            by_connection.setdefault(item.connection_id, []).append(item)
        for connection_id, some in sorted(by_connection.items()):
            connection = Connection.objects.select_for_update(no_key=True).get(pk=connection_id)
            refusals = _decide_on(connection, some, wanted, click, access)
            refused += refusals
            accepted += len(some) - len(refusals)
            wake(connection_id)
        _finish(click, accepted, refused)
    return Done(click.pk, accepted, tuple(refused))


def _visible(access: Access, entity: str, ids: Sequence[int]) -> list[Item]:
    items: list[Item] = []
    for some in chunks(ids):
        found = Item.objects.visible_to(access).filter(entity=entity, pk__in=some)
        items += found.select_related("sent_by", "decided_by").order_by("pk")
    return items


def _finish(click: Request, done: int, refused: Sequence[Refusal]) -> None:
    click.done = done
    click.refused = [
        {
            "record_id": one.record_id,
            "label": one.label,
            "problems": [{"message": p.message, "field": p.field} for p in one.problems],
        }
        for one in refused
    ]
    click.save(update_fields=["done", "refused"])


def _decide_on(
    connection: Connection,
    items: Sequence[Item],
    wanted: Mapping[int, Decision],
    click: Request,
    access: Access,
) -> list[Refusal]:
    """Accept or retry the items of one connection, whose row the caller has locked."""
    manifest = connections.entity_manifest(connection, click.entity)
    if manifest is None:
        gone = Problem("connection", "unsupported", "The connected ERP does not take these.")
        return [Refusal(item.record_id, item.label, (gone,)) for item in items]
    check = _Checks(connection, manifest, items, wanted, click.verb, access)
    each: dict[int, dict[str, Any]] = {}
    refusals = []
    for item in items:
        values = check.values[item.pk]
        problems = check.problems(item)
        if problems:
            refusals.append(Refusal(item.record_id, item.label, tuple(problems)))
            continue
        key = check.keys[item.pk]
        each[item.pk] = {"acceptance": values, "erp_key": key, "intent": uuid.uuid4()}
    columns: dict[str, Any] = {
        "request": click,
        "decided_by": access.user,
        "decided_at": Now(),
        "not_before": None,
        "attempts": 0,
        **NO_ERROR,
    }
    moved: set[int] = set()
    for some in chunks(sorted(each)):
        found = Item.objects.filter(pk__in=some)
        moved |= {
            item.pk
            for item in moves.move(click.verb, found, by=access.user, values=columns, each=each)
        }
    lost = [item for item in items if item.pk in each and item.pk not in moved]
    return refusals + [_beaten(item) for item in lost]


def _beaten(item: Item) -> Refusal:
    """Somebody else decided between the look and the click."""
    item.refresh_from_db()
    return Refusal(item.record_id, item.label, (_decided(item),))


def _decided(item: Item) -> Problem:
    who = f" by {item.decided_by}" if item.decided_by else ""
    words = State(item.state).label
    return Problem("state", "decided", f"Already decided{who}: {words}.", current=words)


class _Checks:
    """Everything that accepting some items of one connection has to look up, looked up once."""

    def __init__(
        self,
        connection: Connection,
        manifest: EntityManifest,
        items: Sequence[Item],
        wanted: Mapping[int, Decision],
        event: str,
        access: Access,
    ) -> None:
        self.connection, self.manifest, self.access = connection, manifest, access
        self.sources = MOVES[event][0]
        self.wanted = wanted
        self.adapter = connections.adapter_of(connection)
        self.values = {item.pk: self._values(item) for item in items}
        self.links = active_links(connection, manifest.entity, [item.record_id for item in items])
        self.keys = {item.pk: self._key(item) for item in items}
        self.choices: dict[str, set[str]] = {}
        for kind, code in Choice.objects.filter(connection=connection, active=True).values_list(
            "kind", "code"
        ):
            self.choices.setdefault(kind, set()).add(code)
        self.taken = self._taken(sorted(set(self.keys.values())))

    def _values(self, item: Item) -> dict[str, str]:
        """The known fields only, as text; in the case that the ERP wants."""
        given = self.wanted[item.pk].values or item.acceptance
        values = {}
        for one in self.manifest.acceptance_fields:
            value = str(given.get(one.name) or "").strip()
            if any(rule.kind == "case" and rule.value == "upper" for rule in one.rules):
                value = value.upper()
            values[one.name] = value
        return values

    def _key(self, item: Item) -> str:
        link = self.links.get(item.record_id)
        if item.operation == Operation.CREATE or link is None:
            return erp_key(self.manifest, item, self.values[item.pk])
        return link.erp_code or link.erp_id

    def _taken(self, keys: Sequence[str]) -> dict[str, str]:
        """Key -> by what it is taken: an item in the air, a linked record, a record of the ERP."""
        taken: dict[str, str] = {}
        where = {"connection": self.connection, "entity": self.manifest.entity}
        for some in (keys[start : start + 500] for start in range(0, len(keys), 500)):
            seen = ErpRecord.objects.filter(**where, erp_code__in=some)
            taken.update(
                (code.upper(), f"{label} in the ERP")
                for code, label in seen.values_list("erp_code", "label")
            )
            linked = Link.objects.filter(**where, erp_code__in=some, ended_at=None)
            taken.update(
                (code.upper(), "a company that is synced already")
                for code in linked.values_list("erp_code", flat=True)
            )
            flying = Item.objects.filter(**where, erp_key__in=some, state__in=sorted(IN_AIR))
            taken.update(
                (item.erp_key.upper(), f"{item.label}, accepted by {item.decided_by}")
                for item in flying.select_related("decided_by")
            )
        return taken

    def problems(self, item: Item) -> list[Problem]:
        """Every reason why this item cannot be accepted; a good key is taken from now on."""
        problems = self._stale_or_own(item)
        if problems:
            return problems
        if item.operation == Operation.CREATE:
            problems = self._field_problems(item) + self._key_problems(item)
        else:
            problems = self._update_problems(item)
        if not problems:
            self.taken[self.keys[item.pk].upper()] = f"{item.label}, accepted in this click"
        return problems

    def _stale_or_own(self, item: Item) -> list[Problem]:
        if item.state not in self.sources:
            return [_decided(item)]
        if self.wanted[item.pk].digest != item.digest:
            message = "It is not the revision you looked at. Open it again, then decide."
            return [Problem("digest", "stale", message)]
        own = item.sent_by_id == self.access.user.pk
        if own and not self.access.account.senders_may_accept_own:
            message = "You sent it yourself; a second approver has to accept it."
            return [Problem("sent_by", "own", message)]
        return []

    def _field_problems(self, item: Item) -> list[Problem]:
        values = self.values[item.pk]
        command = command_of(item, key=self.keys[item.pk], acceptance=values)
        problems = rules.problems(self.manifest, item.payload, values)
        for one in self.manifest.acceptance_fields:
            value = values[one.name]
            if one.choices and value and value not in self.choices.get(one.choices, set()):
                message = f"{one.label}: {value} is not one of the ERP's own. Pick one of the list."
                problems.append(Problem(one.name, "choice", message, current=value))
        return problems + list(self.adapter.validate(command))

    def _key_problems(self, item: Item) -> list[Problem]:
        key = self.keys[item.pk]
        holder = self.taken.get(key.upper())
        if not key or holder is None:
            return []
        name = self.manifest.key[0]
        message = f"{key} is taken by {holder}. Choose another."
        return [Problem(name, "taken", message, current=key)]

    def _update_problems(self, item: Item) -> list[Problem]:
        if item.record_id in self.links:
            return []
        message = "It is no longer linked to a record of the ERP. Reject it, then send it again."
        return [Problem("link", "unlinked", message)]


def proposals_for(items: Sequence[Item]) -> None:
    """Fill unused ids into the acceptance of READY items, for showing and for bulk accepting."""
    by_connection: dict[int, list[Item]] = {}
    for item in items:
        if item.state == State.READY and item.operation == Operation.CREATE:
            by_connection.setdefault(item.connection_id, []).append(item)
    found = Connection.objects.in_bulk(list(by_connection))
    for connection_id, some in by_connection.items():
        manifest = connections.entity_manifest(found[connection_id], some[0].entity)
        if manifest is not None:
            proposals.propose(found[connection_id], manifest, some)


def reject(items: ItemQuerySet, *, entity: str, reason: str, access: Access) -> Done:
    """Hand items back to their senders, who can edit and re-send the records."""
    with transaction.atomic():
        wanted = list(items.select_related("decided_by"))
        moved = moves.move(
            "reject",
            items,
            by=access.user,
            why=reason,
            values={
                "decided_by": access.user,
                "decided_at": Now(),
                "decision_note": reason,
                "settled_at": Now(),
            },
        )
        moved_ids = {item.pk for item in moved}
        refused = [_beaten(item) for item in wanted if item.pk not in moved_ids]
        click = record_click(
            access, entity=entity, verb=Request.Verb.REJECT, done=len(moved), refused=refused
        )
    return Done(click.pk, len(moved), tuple(refused))

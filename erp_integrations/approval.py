"""Accept and reject: the decisions of accounting, and what follows a failure.

Accepting stores the decision and the work in one transaction; a message only wakes a worker up.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now, Upper

from erp_integrations import connections, moves, proposals, rules, tracing
from erp_integrations.adapters.base import Adapter, EntityManifest, Operation, Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clicks import Done, Refusal, finish_click, record_click
from erp_integrations.commands import command_of
from erp_integrations.guard import LONGEST_ID, plain
from erp_integrations.links import active_links
from erp_integrations.models import Attempt, Choice, Connection, ErpRecord, Item, Link, Request
from erp_integrations.moves import chunks
from erp_integrations.queries import ItemQuerySet
from erp_integrations.settling import NO_ERROR
from erp_integrations.states import IN_AIR, MOVES, State
from erp_integrations.wakeups import wake
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.access.scoping import LARGEST_ID


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
    wanted = {one.item_id: one for one in decisions if 0 < one.item_id <= LARGEST_ID}
    with transaction.atomic():
        held = _lock_connections(access, entity, sorted(wanted))
        by_connection: dict[int, list[Item]] = defaultdict(list)
        for item in _visible(access, entity, sorted(wanted)):
            by_connection[item.connection_id].append(item)
        click = record_click(access, entity=entity, verb=event, done=0, refused=[])
        refused: list[Refusal] = []
        accepted = 0
        for connection_id, some in sorted(by_connection.items()):
            refusals = _decide_on(held[connection_id], some, wanted, click, access)
            refused += refusals
            accepted += len(some) - len(refusals)
            wake(connection_id)
        finish_click(click, done=accepted, refused=refused)
    tracing.clicked(click)
    return Done(click.pk, accepted, tuple(refused))


def _lock_connections(access: Access, entity: str, ids: Sequence[int]) -> dict[int, Connection]:
    """Lock the connections of the items, so that what is read of the items afterwards holds."""
    found: set[int] = set()
    for some in chunks(ids):
        items = Item.objects.visible_to(access).filter(entity=entity, pk__in=some)
        found.update(items.values_list("connection_id", flat=True))
    rows = Connection.objects.filter(pk__in=found).order_by("pk").select_for_update(no_key=True)
    return {connection.pk: connection for connection in rows}


def _visible(access: Access, entity: str, ids: Sequence[int]) -> list[Item]:
    items: list[Item] = []
    for some in chunks(ids):
        found = Item.objects.visible_to(access).filter(entity=entity, pk__in=some)
        items += found.select_related("sent_by", "decided_by").order_by("pk")
    return items


def _decide_on(
    connection: Connection,
    items: Sequence[Item],
    wanted: Mapping[int, Decision],
    click: Request,
    access: Access,
) -> list[Refusal]:
    """Accept or retry the items of one connection, whose row the caller has locked."""
    try:
        adapter = connections.adapter_of(connection)
        manifest = connections.entity_manifest(connection, click.entity)
    except AdapterUnavailable as error:
        return _all_refused(items, f"The ERP connection cannot be used: {error}")
    if manifest is None:
        return _all_refused(items, "The connected ERP does not take these.")
    check = _Checks(connection, adapter, manifest, items, wanted, click.verb, access)
    each: dict[int, dict[str, Any]] = {}
    refusals = []
    for item in items:
        values = check.values[item.pk]
        problems = check.problems(item)
        if problems:
            refusals.append(Refusal(item.record_id, item.label, tuple(problems)))
            continue
        key = check.keys[item.pk]
        each[item.pk] = {
            "acceptance": values,
            "erp_key": key,
            "intent": uuid.uuid4(),
            "waits_for": check.missing_parent(item),
        }
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
    return refusals + _beaten([pk for pk in each if pk not in moved])


def _all_refused(items: Sequence[Item], message: str) -> list[Refusal]:
    problem = Problem("connection", "unusable", message)
    return [Refusal(item.record_id, item.label, (problem,)) for item in items]


def _beaten(ids: Sequence[int]) -> list[Refusal]:
    """Somebody else decided between the look and the click."""
    found = (Item.objects.filter(pk__in=some).select_related("decided_by") for some in chunks(ids))
    items = (item for rows in found for item in rows.order_by("pk"))
    return [Refusal(item.record_id, item.label, (_decided(item),)) for item in items]


def _decided(item: Item) -> Problem:
    who = f" by {item.decided_by}" if item.decided_by else ""
    words = State(item.state).label
    return Problem("state", "decided", f"Already decided{who}: {words}.", current=words)


class _Checks:
    """Everything that accepting some items of one connection has to look up, looked up once."""

    def __init__(
        self,
        connection: Connection,
        adapter: Adapter,
        manifest: EntityManifest,
        items: Sequence[Item],
        wanted: Mapping[int, Decision],
        event: str,
        access: Access,
    ) -> None:
        self.connection, self.manifest, self.access = connection, manifest, access
        self.sources = MOVES[event][0]
        self.wanted = wanted
        self.adapter = adapter
        self.values = {item.pk: self._values(item) for item in items}
        self.links = active_links(connection, manifest.entity, [item.record_id for item in items])
        parents = sorted({item.parent_id for item in items if item.parent_id is not None})
        self.parents = active_links(connection, manifest.entity, parents)
        self.keys = {item.pk: self._key(item) for item in items}
        self.choices: dict[str, set[str]] = {}
        for kind, code in Choice.objects.filter(connection=connection, active=True).values_list(
            "kind", "code"
        ):
            self.choices.setdefault(kind, set()).add(code)
        keys = sorted({self._fold(key)[:LONGEST_ID] for key in self.keys.values()} - {""})
        self.flying = self._flying(keys)
        self.held = self._held(keys)

    def _values(self, item: Item) -> dict[str, str]:
        """The known fields only, as text; in the case that the ERP wants."""
        given = self.wanted[item.pk].values or item.acceptance
        values = {}
        for one in self.manifest.acceptance_fields:
            value = plain(given.get(one.name) or "").strip()
            if any(rule.kind == "case" and rule.value == "upper" for rule in one.rules):
                value = value.upper()
            values[one.name] = value
        return values

    def _key(self, item: Item) -> str:
        link = self.links.get(item.record_id)
        if item.operation == Operation.CREATE or link is None:
            return erp_key(self.manifest, item, self.values[item.pk])
        return self._fold(link.erp_code or link.erp_id)

    def _fold(self, key: str) -> str:
        """Two keys are the same to the ERP when they are the same folded."""
        return key if self.manifest.key_case_sensitive else key.upper()

    def _with(self, rows: QuerySet[Any], column: str, keys: Sequence[str]) -> QuerySet[Any]:
        """The connection's ``rows`` whose ``column`` is one of the folded keys."""
        found = rows.filter(connection=self.connection, entity=self.manifest.entity)
        folded = F(column) if self.manifest.key_case_sensitive else Upper(column)
        matching: QuerySet[Any] = found.alias(folded=folded).filter(folded__in=keys)
        return matching

    def _held(self, keys: Sequence[str]) -> dict[str, str]:
        """Key -> by which record it is held: of the ERP, or linked."""
        held: dict[str, str] = {}
        for some in chunks(keys):
            seen = self._with(ErpRecord.objects.all(), "erp_code", some)
            held.update(
                (self._fold(code), f"{label} in the ERP")
                for code, label in seen.values_list("erp_code", "label")
            )
            linked = self._with(Link.objects.filter(ended_at=None), "erp_code", some)
            held.update(
                (self._fold(code), "a record that is synced already")
                for code in linked.values_list("erp_code", flat=True)
            )
        return held

    def _flying(self, keys: Sequence[str]) -> dict[str, str]:
        """Key -> by which item in the air it is taken."""
        flying: dict[str, str] = {}
        for some in chunks(keys):
            items = self._with(Item.objects.filter(state__in=sorted(IN_AIR)), "erp_key", some)
            flying.update(
                (self._fold(item.erp_key), f"{item.label}, accepted by {item.decided_by}")
                for item in items.select_related("decided_by")
            )
        return flying

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
            key = self._fold(self.keys[item.pk])
            self.flying[key] = f"{item.label}, accepted in this click"
        return problems

    def missing_parent(self, item: Item) -> int | None:
        """The parent record, where the ERP has to get it first."""
        return None if item.parent_id in self.parents else item.parent_id

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
        key, name = self.keys[item.pk], self.manifest.key[0]
        folded = self._fold(key)
        if len(key) > LONGEST_ID:
            message = f"It may have at most {LONGEST_ID} characters; it has {len(key)}."
            return [Problem(name, "max_length", message, str(len(key)), str(LONGEST_ID))]
        holder = self.flying.get(folded) or self.held.get(folded)
        if not key or holder is None:
            return []
        message = f"{key} is taken by {holder}. Choose another."
        return [Problem(name, "taken", message, current=key)]

    def _update_problems(self, item: Item) -> list[Problem]:
        if item.record_id not in self.links:
            message = "It is no longer linked to a record of the ERP. Reject it and send it again."
            return [Problem("link", "unlinked", message)]
        holder = self.flying.get(self._fold(self.keys[item.pk]))
        if holder is None:
            return []
        message = f"{self.keys[item.pk]} is being exported for {holder}. Try again afterwards."
        return [Problem(self.manifest.key[0], "taken", message)]


def withdraw(item: Item, *, reason: str, by: User) -> str:
    """Take an accepted item back to READY, as long as nothing of it can be in the ERP.

    :returns: why not, or an empty text once it waits for a decision again.
    """
    with transaction.atomic():
        Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
        tries = item.tries.filter(opened_at__gte=item.decided_at).order_by("-fence")
        last = tries.first()
        if last is not None and last.outcome != Attempt.Outcome.NOT_APPLIED:
            return "It has been sent to the ERP, so it cannot be withdrawn."
        values = {"not_before": None, "waits_for": None, "attempts": 0, **NO_ERROR}
        found = Item.objects.filter(pk=item.pk)
        if moves.move("withdraw", found, by=by, why=reason, values=values):
            return ""
    return "It is on its way to the ERP, or has moved on, so it cannot be withdrawn."


def proposals_for(items: Sequence[Item]) -> None:
    """Fill unused ids into the acceptance of items that wait for a decision or failed."""
    by_connection: dict[int, list[Item]] = {}
    for item in items:
        if item.state in (State.READY, State.FAILED) and item.operation == Operation.CREATE:
            by_connection.setdefault(item.connection_id, []).append(item)
    found = Connection.objects.in_bulk(list(by_connection))
    for connection_id, some in by_connection.items():
        try:
            manifest = connections.entity_manifest(found[connection_id], some[0].entity)
        except AdapterUnavailable:
            continue
        if manifest is not None:
            proposals.propose(found[connection_id], manifest, some)


def reject(items: ItemQuerySet, *, entity: str, reason: str, access: Access) -> Done:
    """Hand items back to their senders, who can edit and re-send the records."""
    with transaction.atomic():
        wanted = list(items.values_list("pk", flat=True))
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
        refused = _beaten(sorted(set(wanted) - {item.pk for item in moved}))
        click = record_click(
            access, entity=entity, verb=Request.Verb.REJECT, done=len(moved), refused=refused
        )
    tracing.clicked(click)
    return Done(click.pk, len(moved), tuple(refused))

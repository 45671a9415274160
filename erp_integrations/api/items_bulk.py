"""Decisions about many items in one call: ``POST …/erp_queue/actions/{accept|reject|retry}``.

As with a sync, each row has its own fate: the answer is 200, with ``entities`` and ``errors``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rest_framework.request import Request as ApiRequest

from erp_integrations.api import errors as api_errors
from erp_integrations.api import schemas, serializers
from erp_integrations.api.bulk_rows import Row, rows_of
from erp_integrations.api.items import QueueItems, acceptance_of, reason_of
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.bulk_requests import Done, Refusal
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.requests import scope
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers
from erpbridge.rest.sync import NO_SUCH_ID

DIGEST = {"digest": ["is missing: send the digest of the item as you read it"]}


class ManyItems(QueueItems):
    """The same decision about many items."""

    sources: tuple[State, ...] = ()

    @answers(schemas.ManyDecided)
    def post(self, request: ApiRequest, **path: Any) -> JsonAnswer:
        """Decide each row by itself."""
        body = scope.body_of(request)
        rows = rows_of(body)
        self._find(rows)
        by_entity: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row.item is not None and not row.errors:
                by_entity[row.item.entity].append(row)
        for entity in sorted(by_entity):
            self.require("items.accept", entity)
        clicks = []
        for entity, some in sorted(by_entity.items()):
            done = self.decide(entity, some, body)
            note_refusals(some, done.refused)
            clicks.append(str(done.request_id))
        return self._told(rows, clicks)

    def _find(self, rows: Iterable[Row]) -> None:
        wanted = [row.pk for row in rows if row.pk is not None]
        items = {item.pk: item for item in self.found().filter(pk__in=wanted)}
        for row in rows:
            row.item = items.get(row.pk or 0)
            if row.item is None and not row.errors:
                row.errors = NO_SUCH_ID

    def _told(self, rows: Sequence[Row], clicks: Sequence[str]) -> JsonAnswer:
        done = [row.pk for row in rows if row.pk is not None and not row.errors]
        shown = serializers.items(done)
        return JsonAnswer(
            {
                "entities": [shown[pk] for pk in done if pk in shown],
                "errors": [{**row.given, "errors": row.errors} for row in rows if row.errors],
                "request_ids": clicks,
            }
        )

    def decide(self, entity: str, rows: Sequence[Row], body: Mapping[str, Any]) -> Done:
        """Carry it out for rows of one record type."""
        raise NotImplementedError


class AcceptMany(ManyItems):
    """Accept; ``acceptance`` beside ``updates`` holds for every row that has no own value."""

    body = schemas.ACCEPT_MANY_BODY
    click = staticmethod(accept_services.accept)

    def decide(self, entity: str, rows: Sequence[Row], body: Mapping[str, Any]) -> Done:
        """Each row as it was seen: a row without a digest, or with an old one, is refused."""
        common = acceptance_of(body)
        accept_services.proposals_for([row.item for row in rows if row.item is not None])
        decisions = [one for row in rows if (one := _decision(row, common)) is not None]
        return self.click(decisions, entity=entity, access=self.access)


class RetryMany(AcceptMany):
    """Export failed items once more."""

    click = staticmethod(accept_services.retry)


class RejectMany(ManyItems):
    """Hand items back; ``reason`` holds for every row that has none of its own."""

    body = schemas.REJECT_MANY_BODY

    def decide(self, entity: str, rows: Sequence[Row], body: Mapping[str, Any]) -> Done:
        """With a reason for each; the senders read it."""
        own = {}
        for row in rows:
            try:
                own[row.pk or 0] = reason_of(row.given if row.given.get("reason") else body)
            except Invalid as error:
                row.errors = dict(error.errors)  # type: ignore[arg-type]
        items = self.found().filter(pk__in=[row.pk for row in rows if not row.errors])
        return accept_services.reject(
            items, entity=entity, reason="", reasons=own, access=self.access
        )


def _decision(row: Row, common: Mapping[str, str]) -> Decision | None:
    assert row.item is not None
    digest = row.given.get("digest")
    if not isinstance(digest, str) or not digest:
        row.errors = DIGEST
        return None
    try:
        values = {**row.item.acceptance, **common, **acceptance_of(row.given)}
    except (Invalid, Malformed) as error:
        row.errors = dict(error.errors)  # type: ignore[arg-type]
        return None
    return Decision(row.item.pk, digest, values)


def note_refusals(rows: Sequence[Row], refused: Iterable[Refusal]) -> None:
    """Give each refused row its reasons. Refusals name records, and come in the order of ids."""
    by_record: dict[int, list[Refusal]] = defaultdict(list)
    for one in refused:
        by_record[one.record_id].append(one)
    left = [row for row in rows if row.item is not None and not row.errors]
    of_record: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(left, key=lambda one: one.pk or 0):
        assert row.item is not None
        of_record[row.item.record_id].append(row)
    for record_id, some in by_record.items():
        # Of several items of one record only the latest can be open, so the older are refused.
        for row, refusal in zip(of_record[record_id], some, strict=False):
            row.errors = api_errors.by_field(refusal.problems)

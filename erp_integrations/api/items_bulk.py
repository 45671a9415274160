"""Decisions about many items in one call: ``POST .../erp_queue/actions/{accept|reject|retry}``.

As in a sync, each row is accepted or refused by itself: the response is 200 with ``entities`` and
``errors``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rest_framework.request import Request as ApiRequest

from erp_integrations.api import errors as api_errors
from erp_integrations.api import schemas, serializers
from erp_integrations.api.bulk_rows import ItemRow, rows_of
from erp_integrations.api.items import QueueItems, acceptance_of, reason_of
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.bulk_requests import Done, Refusal
from erpbridge.access.permissions import Permission
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.requests import scope
from erpbridge.rest.requests.rows import many_answer
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers
from erpbridge.rest.sync import NO_SUCH_ID

DIGEST = {"digest": ["is missing: send the digest of the item as you read it"]}


class ManyItems(QueueItems):
    """Base of the decisions about many items."""

    @answers(schemas.ManyDecided)
    def post(self, request: ApiRequest, **path: object) -> JsonAnswer:
        """Decide about each item of ``updates``; some may be refused."""
        body = scope.body_of(request)
        rows = rows_of(body)
        self._find(rows)
        by_entity: dict[str, list[ItemRow]] = defaultdict(list)
        for row in rows:
            if row.item is not None and not row.errors:
                by_entity[row.item.entity].append(row)
        # All permissions are checked before the first decision: 403 means that nothing was done.
        for entity in sorted(by_entity):
            self.require(Permission.ITEMS_ACCEPT, entity)
        # A bulk request is of one record type, so there may be several request ids.
        clicks = []
        for entity, entity_rows in sorted(by_entity.items()):
            result = self.decide(entity, entity_rows, body)
            note_refusals(entity_rows, result.refused)
            clicks.append(str(result.request_id))
        # Items are read after all decisions, in one query.
        return many_answer(rows, serializers.items, request_ids=clicks)

    def _find(self, rows: Iterable[ItemRow]) -> None:
        item_ids = [row.pk for row in rows if row.pk is not None]
        items = {item.pk: item for item in self.visible().filter(pk__in=item_ids)}
        for row in rows:
            row.item = items.get(row.pk or 0)
            if row.item is None and not row.errors:
                row.refuse(NO_SUCH_ID)

    def decide(self, entity: str, rows: Sequence[ItemRow], body: Mapping[str, object]) -> Done:
        """Decide about the rows of one record type; rows refused here have their errors set."""
        raise NotImplementedError


class AcceptMany(ManyItems):
    """Accept many items for export.

    ``acceptance`` beside ``updates`` has the values for every row without its own.
    """

    body = schemas.ACCEPT_MANY_BODY
    click = staticmethod(accept_services.accept)

    def decide(self, entity: str, rows: Sequence[ItemRow], body: Mapping[str, object]) -> Done:
        """Accept each row as it was read: a row without its current digest is refused."""
        common = acceptance_of(body)
        # For all rows at once, so that no free ID is proposed twice.
        accept_services.proposals_for([row.item for row in rows if row.item is not None])
        decisions = [decision for row in rows if (decision := _decision(row, common)) is not None]
        return self.click(decisions, entity=entity, access=self.access)


class RetryMany(AcceptMany):
    """Export many failed items again."""

    click = staticmethod(accept_services.retry)


class RejectMany(ManyItems):
    """Reject many items and return them to their senders.

    ``reason`` beside ``updates`` is for every row without its own.
    """

    body = schemas.REJECT_MANY_BODY

    def decide(self, entity: str, rows: Sequence[ItemRow], body: Mapping[str, object]) -> Done:
        """Reject each row with its reason; a row without a valid reason is refused."""
        reasons = {}
        for row in rows:
            try:
                reasons[row.pk or 0] = reason_of(row.given if row.given.get("reason") else body)
            except Invalid as error:
                row.refuse(error.errors)
        items = self.visible().filter(pk__in=[row.pk for row in rows if not row.errors])
        return accept_services.reject(
            items, entity=entity, reason="", reasons=reasons, access=self.access
        )


def _decision(row: ItemRow, common: Mapping[str, str]) -> Decision | None:
    assert row.item is not None
    digest = row.given.get("digest")
    if not isinstance(digest, str) or not digest:
        row.refuse(DIGEST)
        return None
    try:
        # The row's own values win over those for all rows, and these over saved or proposed ones.
        values = {**row.item.acceptance, **common, **acceptance_of(row.given)}
    except (Invalid, Malformed) as error:
        row.refuse(error.errors)
        return None
    return Decision(row.item.pk, digest, values)


def note_refusals(rows: Sequence[ItemRow], refused: Iterable[Refusal]) -> None:
    """Set the errors of refused rows. Refusals name records, and come in the order of item ids."""
    by_record: dict[int, list[Refusal]] = defaultdict(list)
    for refusal in refused:
        by_record[refusal.record_id].append(refusal)
    open_rows = [row for row in rows if row.item is not None and not row.errors]
    of_record: dict[int, list[ItemRow]] = defaultdict(list)
    for row in sorted(open_rows, key=lambda row: row.pk or 0):
        assert row.item is not None
        of_record[row.item.record_id].append(row)
    for record_id, refusals in by_record.items():
        # Of several items of one record only the latest can be open, so the older are refused.
        for row, refusal in zip(of_record[record_id], refusals, strict=False):
            row.refuse(api_errors.by_field(refusal.problems))

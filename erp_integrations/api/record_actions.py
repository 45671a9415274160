"""Send to ERP and Retrieve for one company, or many: the first click, and its undoing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework.request import Request as ApiRequest

from erp_integrations import sendable
from erp_integrations.api import action_responses, schemas, serializers
from erp_integrations.api.bulk_rows import rows_of
from erp_integrations.connections import wait_reasons
from erp_integrations.models.record_types import Sendable, record_type
from erp_integrations.workflow import bulk_requests
from erp_integrations.workflow.bulk_requests import Done
from erp_integrations.workflow.send import buttons, locks
from erpbridge.rest.requests import scope
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers, takes
from erpbridge.rest.views import ScopedView


class RecordView(ScopedView):
    """A record of the type ``entity`` that the caller can see."""

    entity = ""

    def fetch(self, pk: int) -> Sendable:
        """The record. :raises Http404: for what the caller cannot see."""
        found: Sendable | None = record_type(self.entity).visible(self.access).filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


class Standing(RecordView):
    """Where a record stands with the ERP, and what the caller can do about it."""

    @answers(schemas.RecordStanding)
    def get(self, request: ApiRequest, pk: int, **path: Any) -> JsonAnswer:
        """State, ids, and the button of its page with every reason why it is grey."""
        record = self.fetch(pk)
        shown = buttons.button(self.entity, self.access, record)
        lock = locks.lock(self.entity, record)
        told = {
            "can_send": shown.verb == "send" and shown.enabled,
            "can_retrieve": shown.verb == "retrieve" and shown.enabled,
            "reasons": [
                {"field": one.field, "rule": one.rule, "message": one.message}
                for one in shown.reasons
            ],
            "locked": lock.message if lock else None,
            "waits": serializers.waiting(
                wait_reasons.of_record(self.entity, self.access.account.pk, pk)
            ),
        }
        return JsonAnswer(serializers.records(self.entity, [pk], self.access)[pk] | told)


class SendRecord(RecordView):
    """``POST …/{id}/actions/send_to_erp``."""

    @takes(schemas.SEND_BODY)
    @answers(schemas.Clicked, 201)
    def post(self, request: ApiRequest, pk: int, **path: Any) -> JsonAnswer:
        """Put the record in front of accounting; ``revision`` says which one was seen."""
        self.fetch(pk)
        self.require(record_type(self.entity).send_action)
        body = scope.body_of(request)
        seen, note = action_responses.revision_of(body), action_responses.note_of(body)
        known = None if seen is None else {pk: seen}
        done = sendable.send(self.entity, [pk], access=self.access, seen=known, note=note)
        return action_responses.one(self.entity, pk, done, self.access, 201)


class RetrieveRecord(RecordView):
    """``POST …/{id}/actions/retrieve_from_erp``."""

    @answers(schemas.Clicked)
    def post(self, request: ApiRequest, pk: int, **path: Any) -> JsonAnswer:
        """Take it back from accounting, unless a decision came first."""
        self.fetch(pk)
        self.require(record_type(self.entity).retrieve_action)
        done = sendable.retrieve(self.entity, [pk], access=self.access)
        return action_responses.one(self.entity, pk, done, self.access, 200)


class ManyRecords(ScopedView):
    """The same click on many records: ``{"updates": [{"id": 1, "revision": 3}, …]}``."""

    entity = ""
    retrieves = False

    @takes(schemas.MANY_BODY)
    @answers(schemas.ManyClicked)
    def post(self, request: ApiRequest, **path: Any) -> JsonAnswer:
        """Each row has its own fate; the answer is 200 with ``entities`` and ``errors``."""
        kind = record_type(self.entity)
        self.require(kind.retrieve_action if self.retrieves else kind.send_action)
        rows = rows_of(scope.body_of(request))
        return action_responses.many(self.entity, rows, self._click, self.access)

    def _click(self, ids: Sequence[int], seen: Mapping[int, int]) -> Done:
        if self.retrieves:
            return sendable.retrieve(self.entity, ids, access=self.access)
        note = action_responses.note_of(scope.body_of(self.request))
        return sendable.send(self.entity, ids, access=self.access, seen=seen, note=note)


class Click(ScopedView):
    """``GET /companies/{id}/erp_requests/{uuid}``: what a click did."""

    @answers(schemas.WholeClick)
    def get(self, request: ApiRequest, request_id: UUID, **path: Any) -> JsonAnswer:
        """How many rows were taken, which were refused and why, and how far the export is."""
        return JsonAnswer(serializers.click(bulk_requests.click_of(self.access, request_id)))

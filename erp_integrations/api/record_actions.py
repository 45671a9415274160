"""Send and retrieve calls of record types, for one record or many, and the status of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.http import Http404
from rest_framework.request import Request as ApiRequest

from erp_integrations import sendable
from erp_integrations.api import action_responses, schemas, serializers
from erp_integrations.api.bulk_rows import rows_of
from erp_integrations.connections import wait_reasons
from erp_integrations.models import Request
from erp_integrations.models.record_types import Sendable, record_type
from erp_integrations.workflow import bulk_requests
from erp_integrations.workflow.bulk_requests import Done
from erp_integrations.workflow.send import buttons, locks
from erpbridge.rest.requests import scope
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers, takes
from erpbridge.rest.views import ScopedView


class RecordView(ScopedView):
    """Base of the calls on one record of the type ``entity``."""

    entity = ""

    def fetch(self, pk: int) -> Sendable:
        """Return the record.

        :raises Http404: if the caller cannot see it.
        """
        record: Sendable | None = (
            record_type(self.entity).visible(self.access).filter(pk=pk).first()
        )
        if record is None:
            raise Http404
        return record


class Standing(RecordView):
    """ERP status of a record."""

    @answers(schemas.RecordStanding)
    def get(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Return state, IDs, whether it can be sent or retrieved, and every reason why not."""
        record = self.fetch(pk)
        # The same function as on the record's page, so that page and API never disagree.
        button = buttons.button(self.entity, self.access, record)
        lock = locks.lock(self.entity, record)
        standing = {
            "can_send": button.verb == Request.Verb.SEND and button.enabled,
            "can_retrieve": button.verb == Request.Verb.RETRIEVE and button.enabled,
            "reasons": [
                {"field": problem.field, "rule": problem.rule, "message": problem.message}
                for problem in button.reasons
            ],
            "locked": lock.message if lock else None,
            "waits": serializers.waiting(
                wait_reasons.of_record(self.entity, self.access.account.pk, pk)
            ),
        }
        return JsonAnswer(serializers.records(self.entity, [pk], self.access)[pk] | standing)


class SendRecord(RecordView):
    """Send a record to the ERP.

    It waits for an approver of accounting. ``POST .../{id}/actions/send_to_erp``.
    """

    @takes(schemas.SEND_BODY)
    @answers(schemas.Clicked, 201)
    def post(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Put the record into the queue; ``revision`` names the one that was read."""
        # A record that the caller cannot see is 404, before any 403.
        self.fetch(pk)
        self.require(record_type(self.entity).send_action)
        body = scope.body_of(request)
        revision, note = action_responses.revision_of(body), action_responses.note_of(body)
        # None: whatever revision is stored now.
        read_revisions = None if revision is None else {pk: revision}
        result = sendable.send(
            self.entity, [pk], access=self.access, seen=read_revisions, note=note
        )
        return action_responses.for_one(self.entity, pk, result, self.access, 201)


class RetrieveRecord(RecordView):
    """Retrieve a record from the ERP queue.

    ``POST .../{id}/actions/retrieve_from_erp``.
    """

    @answers(schemas.Clicked)
    def post(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Take the record back, unless an approver has decided about it."""
        # As in SendRecord, 404 comes before any 403.
        self.fetch(pk)
        self.require(record_type(self.entity).retrieve_action)
        result = sendable.retrieve(self.entity, [pk], access=self.access)
        return action_responses.for_one(self.entity, pk, result, self.access, 200)


class ManyRecords(ScopedView):
    """Send or retrieve many records.

    The body is ``{"updates": [{"id": 1, "revision": 3}, ...]}``.
    """

    entity = ""
    retrieves = False

    @takes(schemas.MANY_BODY)
    @answers(schemas.ManyClicked)
    def post(self, request: ApiRequest, **path: object) -> JsonAnswer:
        """Handle each row by itself; the response is 200 with ``entities`` and ``errors``."""
        kind = record_type(self.entity)
        # The right is of the record type, so it is checked once for all rows.
        self.require(kind.retrieve_action if self.retrieves else kind.send_action)
        rows = rows_of(scope.body_of(request))
        return action_responses.for_rows(self.entity, rows, self._click, self.access)

    def _click(self, ids: Sequence[int], read_revisions: Mapping[int, int]) -> Done:
        if self.retrieves:
            return sendable.retrieve(self.entity, ids, access=self.access)
        note = action_responses.note_of(scope.body_of(self.request))
        return sendable.send(self.entity, ids, access=self.access, seen=read_revisions, note=note)


class Click(ScopedView):
    """Result of a bulk request.

    ``GET /companies/{id}/erp_requests/{uuid}``.
    """

    @answers(schemas.WholeClick)
    def get(self, request: ApiRequest, request_id: UUID, **path: object) -> JsonAnswer:
        """Return how many rows were taken, the refused ones with reasons, and the progress."""
        return JsonAnswer(serializers.click(bulk_requests.click_of(self.access, request_id)))

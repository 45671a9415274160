"""Send to ERP and Retrieve for standard cost codes: one code, several, or a whole list.

Procore has no public calls for these clicks, so the routes are erpbridge's own.
See docs/design/procore-rest-conventions.md, "Routes of our own".
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import Http404
from rest_framework.request import Request

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.node import BATCH
from erp_integrations import sendable
from erp_integrations.api import action_responses
from erp_integrations.api.schemas import Clicked, WholeClick
from erpbridge.access.permissions import Permission
from erpbridge.rest.errors import ApiError, Invalid
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import answers, takes
from erpbridge.rest.views import ScopedView

IDS = "standard_cost_code_ids"
REVISION = {"revision": bodies.whole}
SENDING = REVISION | {"note": action_responses.NOTE}
STALE = "It was changed since you read it. Read it again, then send."


class ListView(ScopedView):
    """A cost code list of the account."""

    reads = Permission.CODES_VIEW

    def fetch(self, pk: int) -> CodeList:
        """Return the list. :raises Http404: if the caller cannot see it."""
        code_list = CodeList.objects.visible_to(self.access).filter(pk=pk).first()
        if code_list is None:
            raise Http404
        return code_list

    def ids(self) -> list[int] | None:
        """The ids in the body; None for the whole list.

        :raises Invalid: if the value is not a list of ids.
        """
        value = scope.body_of(self.request).get(IDS)
        if value is None:
            return None
        try:
            ids: list[int] = bodies.wholes(value)
        except ValidationError as error:
            raise Invalid({IDS: list(error.messages)}) from None
        return ids

    def seen(self, code_list: CodeList) -> int:
        """The list revision that the caller last read; the current one by default."""
        revision = action_responses.revision_of(scope.body_of(self.request))
        return code_list.revision if revision is None else revision


class ListClick(ListView):
    """A click on a list. It is processed in batches."""

    def lasts_long(self) -> bool:
        """True for more codes than fit in one batch."""
        ids = self.ids()
        # Asked before the list is fetched with permission: a foreign list changes only how it is
        # refused.
        codes = CostCode.objects.filter(list=self.kwargs["pk"])
        # One more than a batch answers the question without counting a list of thousands.
        return (codes[: BATCH + 1].count() if ids is None else len(ids)) > BATCH


class SendList(ListClick):
    """Send to ERP for a list of cost codes."""

    @takes({IDS: bodies.wholes} | SENDING)
    @answers(WholeClick, 201)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Send every unsent code, or the chosen codes together with their unsent ancestors.

        A code that was rejected with a reason is sent only if it was changed since, or is chosen.
        """
        code_list = self.fetch(pk)
        self.require(Permission.CODES_SEND)
        ids, seen = self.ids(), self.seen(code_list)
        button = send_to_erp.button(code_list, self.access, seen=seen)
        if button is None:
            raise Invalid({"base": ["The list belongs to no ERP, so it cannot be sent."]})
        # If all codes are rejected and unchanged, the button is disabled; chosen codes can
        # still be sent.
        left_out = ids is not None and {reason.rule for reason in button.reasons} == {"nothing"}
        if not button.enabled and not (left_out and button.left_out):
            raise action_responses.refused(button.reasons)
        note = action_responses.note_of(scope.body_of(request))
        try:
            outcome = send_to_erp.send(code_list, access=self.access, seen=seen, ids=ids, note=note)
        except CodeRefused as error:
            raise ApiError(409, {"revision": [str(error)]}) from error
        return action_responses.for_list(outcome, 201)


class RetrieveList(ListClick):
    """Retrieve for a list of cost codes."""

    @takes({IDS: bodies.wholes})
    @answers(WholeClick)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Take back all waiting codes, or the chosen codes and their descendants."""
        code_list = self.fetch(pk)
        self.require(Permission.CODES_RETRIEVE)
        return action_responses.for_list(
            send_to_erp.retrieve(code_list, access=self.access, ids=self.ids()), 200
        )


class CodeView(ScopedView):
    """One code of the account."""

    reads = Permission.CODES_VIEW

    def fetch(self, pk: int) -> CostCode:
        """Return the code with its list. :raises Http404: if the caller cannot see it."""
        codes = CostCode.objects.visible_to(self.access).select_related("list")
        code = codes.filter(pk=pk).first()
        if code is None:
            raise Http404
        return code


class SendCode(CodeView):
    """Send to ERP for one cost code."""

    @takes(SENDING)
    @answers(Clicked, 201)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Send the code together with its unsent ancestors."""
        code = self.fetch(pk)
        self.require(Permission.CODES_SEND)
        seen = action_responses.revision_of(scope.body_of(request))
        # The caller compares the code, the service compares the list; so the code is compared here.
        if seen is not None and seen != code.revision:
            raise ApiError(409, {"revision": [STALE]})
        button = sendable.button(list_services.CODE, self.access, code)
        # Unsent ancestors are sent along, so an unsent parent is no obstacle.
        only_parent = {reason.rule for reason in button.reasons} == {"parent_not_sent"}
        if button.reasons and not only_parent:
            raise action_responses.refused(button.reasons)
        # Any change of the list is accepted: the caller has named the revision of the one code it
        # sends.
        seen, note = code.list.revision, action_responses.note_of(scope.body_of(request))
        try:
            outcome = send_to_erp.send(
                code.list, access=self.access, seen=seen, ids=[pk], note=note
            )
        except CodeRefused as error:
            raise ApiError(409, {"revision": [str(error)]}) from error
        return action_responses.for_one(list_services.CODE, pk, outcome, self.access, 201)


class RetrieveCode(CodeView):
    """Retrieve for one cost code."""

    @answers(Clicked)
    def post(self, request: Request, pk: int, **path: object) -> JsonAnswer:
        """Take the code back from accounting, together with its descendants."""
        code = self.fetch(pk)
        self.require(Permission.CODES_RETRIEVE)
        outcome = send_to_erp.retrieve(code.list, access=self.access, ids=[pk])
        return action_responses.for_one(list_services.CODE, pk, outcome, self.access, 200)

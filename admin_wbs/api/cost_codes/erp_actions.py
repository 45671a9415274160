"""Send to ERP and Retrieve for standard cost codes: one, some, or a whole list.

The routes are ours: Procore has no public calls for these clicks.
See docs/design/procore-rest-conventions.md, "Routes of our own".
"""

from __future__ import annotations

from typing import Any

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
    """A list of the account that belongs to an ERP."""

    reads = "codes.view"

    def fetch(self, pk: int) -> CodeList:
        """The list. :raises Http404: for what the caller cannot see."""
        found = CodeList.objects.visible_to(self.access).filter(pk=pk).first()
        if found is None:
            raise Http404
        return found

    def ids(self) -> list[int] | None:
        """The codes chosen in the body; None for the whole list.

        :raises Invalid: for what is no list of ids.
        """
        given = scope.body_of(self.request).get(IDS)
        if given is None:
            return None
        try:
            found: list[int] = bodies.wholes(given)
        except ValidationError as error:
            raise Invalid({IDS: list(error.messages)}) from None
        return found

    def seen(self, found: CodeList) -> int:
        """The revision of the list that the caller acts on: the present one where none is given."""
        given = action_responses.revision_of(scope.body_of(self.request))
        return found.revision if given is None else given


class ListClick(ListView):
    """A click on a list, which is carried out in batches."""

    def lasts_long(self) -> bool:
        """For more codes than a batch has."""
        ids = self.ids()
        codes = CostCode.objects.filter(list=self.kwargs["pk"])
        return (codes[: BATCH + 1].count() if ids is None else len(ids)) > BATCH


class SendList(ListClick):
    """Send to ERP for a list of cost codes."""

    @takes({IDS: bodies.wholes} | SENDING)
    @answers(WholeClick, 201)
    def post(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Send every unsent code, or the chosen ones and what is above them.

        What was rejected with a reason and has not changed since is sent only where it is chosen.
        """
        found = self.fetch(pk)
        self.require("codes.send")
        ids, seen = self.ids(), self.seen(found)
        shown = send_to_erp.button(found, self.access, seen=seen)
        if shown is None:
            raise Invalid({"base": ["The list belongs to no ERP, so it cannot be sent."]})
        left_out = ids is not None and {one.rule for one in shown.reasons} == {"nothing"}
        if not shown.enabled and not (left_out and shown.left_out):
            raise action_responses.refused(shown.reasons)
        note = action_responses.note_of(scope.body_of(request))
        try:
            done = send_to_erp.send(found, access=self.access, seen=seen, ids=ids, note=note)
        except CodeRefused as error:
            raise ApiError(409, {"revision": [str(error)]}) from error
        return action_responses.whole(done, 201)


class RetrieveList(ListClick):
    """Retrieve for a list of cost codes."""

    @takes({IDS: bodies.wholes})
    @answers(WholeClick)
    def post(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Take back all that waits, or the chosen codes and what is under them."""
        found = self.fetch(pk)
        self.require("codes.retrieve")
        return action_responses.whole(
            send_to_erp.retrieve(found, access=self.access, ids=self.ids()), 200
        )


class CodeView(ScopedView):
    """One code of the account."""

    reads = "codes.view"

    def fetch(self, pk: int) -> CostCode:
        """The code with its list. :raises Http404: for what the caller cannot see."""
        codes = CostCode.objects.visible_to(self.access).select_related("list")
        found = codes.filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


class SendCode(CodeView):
    """Send to ERP for one cost code."""

    @takes(SENDING)
    @answers(Clicked, 201)
    def post(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Send the code together with its unsent ancestors."""
        code = self.fetch(pk)
        self.require("codes.send")
        seen = action_responses.revision_of(scope.body_of(request))
        if seen is not None and seen != code.revision:
            raise ApiError(409, {"revision": [STALE]})
        shown = sendable.button(list_services.CODE, self.access, code)
        only_parent = {one.rule for one in shown.reasons} == {"parent_not_sent"}
        if shown.reasons and not only_parent:
            raise action_responses.refused(shown.reasons)
        seen, note = code.list.revision, action_responses.note_of(scope.body_of(request))
        try:
            done = send_to_erp.send(code.list, access=self.access, seen=seen, ids=[pk], note=note)
        except CodeRefused as error:
            raise ApiError(409, {"revision": [str(error)]}) from error
        return action_responses.one(list_services.CODE, pk, done, self.access, 201)


class RetrieveCode(CodeView):
    """Retrieve for one cost code."""

    @answers(Clicked)
    def post(self, request: Request, pk: int, **path: Any) -> JsonAnswer:
        """Take it back, and what is under it."""
        code = self.fetch(pk)
        self.require("codes.retrieve")
        done = send_to_erp.retrieve(code.list, access=self.access, ids=[pk])
        return action_responses.one(list_services.CODE, pk, done, self.access, 200)

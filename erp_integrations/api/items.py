"""Calls on acceptance items at ``erp_queue``: list, read, save values, and decide about one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from django import forms
from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request as ApiRequest

from erp_integrations.adapters.base import Problem
from erp_integrations.api import errors as api_errors
from erp_integrations.api import procore_status, schemas, serializers
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.querysets import search as by_words
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.workflow import item_details, parents
from erp_integrations.workflow.accept import (
    actions,
    field_values,
    lookup_job,
    manual_resolution,
    matches,
)
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.actions import Action
from erp_integrations.workflow.accept.decision_forms import AnswerForm, ReasonForm
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.bulk_requests import Refusal
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.refusals import MovedOn, NotTaken
from erpbridge.access.permissions import Permission
from erpbridge.refusals import Refused
from erpbridge.rest.errors import Invalid, Malformed
from erpbridge.rest.pagination import Listing, Shape
from erpbridge.rest.requests import bodies, scope
from erpbridge.rest.requests.filters import WrongValue, filtering, ids, moments, search, texts
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.schema.operations import Page, an_object, takes
from erpbridge.rest.schema.operations import answers as answering
from erpbridge.rest.views import Resource


@filtering("Ids of clicks, such as request_id of an item.")
def by_click(items: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Filter items that a bulk request has sent, accepted or retried.

    :raises WrongValue: if a value is not a UUID.
    """
    try:
        click_ids = [UUID(value.strip()) for value in values]
    except ValueError:
        raise WrongValue("takes the id of a click, such as request_id of an item") from None
    # ``sent_in`` is the request that created the item, ``request`` its last accept or retry.
    return items.filter(Q(request__in=click_ids) | Q(sent_in__in=click_ids))


LISTING = Listing(
    filters={
        "id": ids("pk"),
        # Two names for one filter: ``erp_status`` as in the response, and the shorter ``status``.
        "status": procore_status.by_status,
        "erp_status": procore_status.by_status,
        "state": procore_status.by_state,
        "entity": procore_status.by_type,
        "item_type": procore_status.by_type,
        "item_id": ids("record_id"),
        "project_id": ids("project"),
        "origin_id": texts("erp_id"),
        "request_id": by_click,
        "sent_at": moments("sent_at"),
        "decided_at": moments("decided_at"),
        "search": search(by_words),
    },
    sorts={"id": "pk", "label": "label", "sent_at": "sent_at", "decided_at": "decided_at"},
)


class QueueItems(Resource[Item]):
    """Base of all calls on acceptance items: permission, filters, locks for ``If-Match``."""

    reads = Permission.ITEMS_VIEW
    listing = LISTING
    row_types = {"": schemas.QueueItem}

    def visible(self) -> ItemQuerySet:
        """Return the items of the company, or those sent from the project in the path."""
        return Item.objects.visible_to(self.access)

    def shapes(self) -> Mapping[str, Shape]:
        """Return the only shape; items have no ``view`` parameter."""
        return {"": serializers.items}

    def fetch(self, pk: int) -> Item:
        """Return one item for :func:`serializers.whole_item`.

        :raises Http404: if the caller cannot see it.
        """
        item: Item = self.record(pk)
        # The account is loaded already; reading item.account would query it again.
        item.account = self.access.account
        return item

    def whole(self, pk: int, status: int = 200) -> JsonAnswer:
        """Build the response that shows an item in full."""
        return JsonAnswer(serializers.whole_item(self.fetch(pk), self.access), status)

    def hold(self) -> None:
        """Lock only what ``If-Match`` is compared with; other calls lock the account's row too.

        Decisions lock the connection first, so that a bulk request on thousands of items does not
        block callers that write records (docs/locks.md).
        """
        for rows in self.holds() if self.if_match else ():
            list(rows.select_for_update(no_key=True).values_list("pk"))

    def holds(self) -> Iterator[QuerySet[Model]]:
        """Return the connection, then the item, in the order of docs/locks.md."""
        if "pk" in self.kwargs:
            yield Connection.objects.filter(pk=self.record(self.kwargs["pk"]).connection_id)
        yield from super().holds()

    def current(self) -> HttpResponse | None:
        """Return the full item, since a GET of the item shows that, also for its actions."""
        return self.whole(self.kwargs["pk"]) if "pk" in self.kwargs else super().current()


class Queue(QueueItems):
    """Acceptance items."""

    @answering(Page)
    def get(self, request: ApiRequest, **path: object) -> JsonAnswer:
        """List the items of the queue, one page at a time."""
        return self.page()


class OneItem(QueueItems):
    """Acceptance item."""

    @answering(schemas.WholeItem)
    def get(self, request: ApiRequest, pk: int = 0, **path: object) -> JsonAnswer:
        """Return the item with payload, preview, acceptance fields, attempts and history."""
        return self.whole(pk)

    @takes(an_object({"acceptance": schemas.ACCEPTANCE}))
    @answering(schemas.WholeItem, tagged=True)
    def patch(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Save acceptance values without deciding.

        :raises Invalid: naming each refused field.
        """
        # An item that the caller cannot see is 404, before any 403.
        item = self.fetch(pk)
        self.require(Permission.ITEMS_ACCEPT, item.entity)
        entered = acceptance_of(scope.body_of(request))
        result = field_values.save({pk: entered}, entity=item.entity, access=self.access)
        if result.refused:
            raise Invalid({name: [message] for (_pk, name), message in result.refused.items()})
        return self.whole(pk)


class ItemAction(QueueItems):
    """Base of the decisions about one item, ``POST .../erp_queue/{id}/actions/{name}``."""

    @answering(schemas.WholeItem, tagged=True)
    def post(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Decide about the item and return it as it is afterwards."""
        self.act(self.as_seen(pk), scope.body_of(request))
        return self.whole(pk)

    def right_for(self, item: Item) -> Permission:
        """Return the policy rule that the caller needs."""
        return Permission.ITEMS_ACCEPT

    def as_seen(self, pk: int) -> Item:
        """Return the item if the caller may decide about it and has read its current revision.

        :raises Http404: if the caller cannot see it.
        :raises PermissionDenied: if the caller may not decide about it.
        :raises ApiError: 409 if ``digest`` is of another revision.
        """
        item = self.fetch(pk)
        self.require(self.right_for(item), item.entity)
        # Checked again by accept and link_instead, after they have locked the connection.
        seen = scope.body_of(self.request).get("digest")
        if seen is not None and seen != item.digest:
            raise api_errors.conflict("It is not the revision you looked at. Read it again.")
        return item

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Carry out the decision.

        :raises ApiError: with every reason if it is refused.
        """
        raise NotImplementedError


class Accept(ItemAction):
    """Accept an item for export.

    The ``digest`` names the revision that was read; another revision is not accepted.
    """

    body = schemas.ACCEPT_BODY
    decide = staticmethod(accept_services.accept)

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Accept with the given values; values left out are the saved or proposed ones.

        :raises Malformed: if ``digest`` is missing.
        :raises ApiError: with every reason if the item is refused.
        """
        digest = body.get("digest")
        # Required: what is accepted is written to the ERP, so the caller must have read exactly
        # this revision.
        if not isinstance(digest, str) or not digest:
            raise Malformed({"digest": ["is missing: send the digest of the item as you read it"]})
        # Fills in free IDs in memory, as the page shows them before a person accepts.
        accept_services.proposals_for([item])
        values = {**item.acceptance, **acceptance_of(body)}
        decision = Decision(item.pk, digest, values)
        result = self.decide([decision], entity=item.entity, access=self.access)
        refuse_if_any(result.refused, self.instead(item, values))

    def instead(self, item: Item, values: Mapping[str, object]) -> list[str]:
        """Describe the ERP's unlinked records that match, for a caller whose ID is already taken.

        Each comes with the call that links it, and its fields beside the values that were sent.
        """
        manifest = adapter_loading.usable_manifest(item.connection, item.entity)
        matching = matches.matches(item, manifest, values) if manifest else []
        return [line for match in matching if not match.linked_to for line in _instead(match)]


class Retry(Accept):
    """Export a failed item again.

    With the values that it was accepted with, or with others.
    """

    decide = staticmethod(accept_services.retry)


class Reject(ItemAction):
    """Reject an item and return it to its sender.

    With ``include_children``, waiting items under it are rejected too.
    """

    body = schemas.REJECT_BODY

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Reject with the reason, which is sent to the item's sender.

        :raises ApiError: if the item itself is refused.
        """
        reason = reason_of(body)
        values, errors = bodies.read(body, {"include_children": bodies.flag})
        if errors:
            raise Invalid(errors)
        along = parents.below([item]) if values.get("include_children") else []
        items = Item.objects.filter(pk__in=[item.pk, *(child.pk for child in along)])
        result = accept_services.reject(
            items, entity=item.entity, reason=reason, access=self.access
        )
        # A child that was decided meanwhile stays as it is and does not fail the call.
        of_item = [refusal for refusal in result.refused if refusal.record_id == item.record_id]
        refuse_if_any(of_item)


class Withdraw(ItemAction):
    """Withdraw an accepted item from the export.

    Possible only while nothing of it can be in the ERP.
    """

    body = schemas.REASON_BODY

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Withdraw with the reason.

        :raises ApiError: 409 if something of it may be in the ERP.
        """
        try:
            accept_services.withdraw(item, reason=reason_of(body), by=self.access.user)
        except Refused as error:
            raise api_errors.conflict(str(error)) from error


class Answer(ItemAction):
    """Answer whether an item with unknown outcome is in the ERP.

    ``answer`` is ``there`` (with ``origin_id``) or ``not_there``. What is there is looked up in the
    ERP first: the call answers 202, and ``lookup`` of the item says how that goes.
    """

    body = schemas.ANSWER_BODY

    @answering(schemas.WholeItem, tagged=True)
    @answering(schemas.WholeItem, 202, tagged=True)
    def post(self, request: ApiRequest, pk: int, **path: object) -> JsonAnswer:
        """Link the item to the ERP's record, or queue it again as the same command.

        :raises Invalid: if the ID cannot be one, or another is being looked up.
        :raises ApiError: 409 if the item needs no answer.
        """
        item = self.as_seen(pk)
        key, why = self._answered(item, scope.body_of(request))
        with refusing("origin_id"):
            if not key:
                manual_resolution.it_is_not_there(item, by=self.access.user, why=why)
                return self.whole(pk)
            lookup = lookup_job.link_named(item, key=key, access=self.access, why=why)
        return self.whole(pk, 202 if lookup else 200)

    def _answered(self, item: Item, body: Mapping[str, object]) -> tuple[str, str]:
        """Return the ID in the ERP, empty for ``not_there``, and the reason.

        :raises Invalid: if the body is not a valid answer.
        :raises ApiError: 409 if the item needs no answer.
        """
        word = body.get("answer")
        if word not in ("there", "not_there"):
            raise Invalid({"answer": ["must be there or not_there"]})
        texts = texts_of(body, ["origin_id", "reason"])
        form = AnswerForm({"erp_id": texts["origin_id"], "why": texts["reason"]})
        cleaned = cleaned_by(form, {"erp_id": "origin_id", "why": "reason"})
        if Action.ANSWER not in actions.possible(item.state):
            raise api_errors.conflict(f"It needs no answer: {State(item.state).label}.")
        if word == "not_there":
            return "", cleaned["why"]
        if not cleaned["erp_id"]:
            raise Invalid({"origin_id": ["Give the ID that the record has in the ERP."]})
        return cleaned["erp_id"], cleaned["why"]


class LinkInstead(ItemAction):
    """Link a waiting or failed item to a record of the ERP.

    Nothing is written to the ERP. The record is one of ``erp_matches``, or any other that the last
    refresh found.
    """

    body = schemas.LINK_BODY

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Link to the record ``origin_id``; ``digest`` names the revision that was read.

        :raises Malformed: if one of the two is missing.
        :raises ApiError: if the item cannot be linked to it.
        """
        texts = texts_of(body, ["digest", "origin_id"])
        missing = {name: ["is missing"] for name, value in texts.items() if not value}
        if missing:
            raise Malformed(missing)
        with refusing("origin_id"):
            manual_resolution.link_instead(
                item, erp_id=texts["origin_id"], seen=texts["digest"], access=self.access
            )


class UseAnyway(ItemAction):
    """Confirm that an ID of the ERP is the right one.

    For an ID that an API client has set, if the comparison with the ERP found a difference or could
    not be made. A failed item is exported again.
    """

    body = schemas.USE_BODY

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """Confirm the ``origin_ids``, which must be those of ``not_compared`` as they were read.

        :raises Malformed: if ``origin_ids`` is missing.
        :raises ApiError: with every reason if it is refused.
        """
        values, errors = bodies.read(body, {"origin_ids": bodies.texts})
        if errors:
            raise Invalid(errors)
        # The caller names the IDs, so that an ID set in the meantime is not confirmed unseen.
        seen = values.get("origin_ids")
        if not seen:
            message = "is missing: send those of not_compared as you read them"
            raise Malformed({"origin_ids": [message]})
        reason = reason_of(body)
        try:
            accept_services.use_anyway(item, seen=seen, reason=reason, access=self.access)
        except NotTaken as error:
            raise api_errors.refused(error.problems) from error


class Unlink(ItemAction):
    """End the link between an item's record and the ERP's.

    The record in the ERP stays as it is.
    """

    body = schemas.REASON_BODY

    def right_for(self, item: Item) -> Permission:
        """Return the rule of the record type (docs/design/permissions.md, "Who does what")."""
        return record_type(item.entity).unlink_action

    def act(self, item: Item, body: Mapping[str, object]) -> None:
        """End the link with the reason.

        :raises ApiError: 409 if it is not linked, or something under it is linked or on its way.
        """
        reason, link = reason_of(body), item_details.link_of(item)
        # The record may be linked through another item, while this one was, for example, rejected.
        if link is None or item.state != State.SYNCED:
            raise api_errors.conflict("It is not linked to the ERP.")
        refused = unlink_services.unlink(
            item.account_id, item.entity, [item.record_id], by=self.access.user, why=reason
        )
        # One record, so at most one reason.
        for why_not in refused.values():
            raise api_errors.conflict(why_not)


@contextmanager
def refusing(field: str) -> Iterator[None]:
    """Turn a service's refusal into a 409 if the item has moved on, else a 422 of ``field``.

    :raises ApiError: in either case.
    """
    try:
        yield
    # A subclass of Refused, so it must come first.
    except MovedOn as error:
        raise api_errors.conflict(str(error)) from error
    except Refused as error:
        raise Invalid({field: [str(error)]}) from error


def acceptance_of(body: Mapping[str, object]) -> dict[str, str]:
    """Return the acceptance values of a body as text.

    :raises Malformed: if ``acceptance`` is not an object.
    :raises Invalid: if a value is not text.
    """
    entered = body.get("acceptance") or {}
    if not isinstance(entered, Mapping):
        raise Malformed({"acceptance": ["must be an object"]})
    readers = dict.fromkeys(entered, bodies.any_text)
    values, errors = bodies.read(entered, readers)
    if errors:
        # The name is the caller's own, of any length.
        raise Invalid({f"acceptance.{name[:50]}": messages for name, messages in errors.items()})
    return values


def reason_of(body: Mapping[str, object]) -> str:
    """Return the reason, validated like that of the page.

    :raises Invalid: if it is missing or too long.
    """
    return str(cleaned_by(ReasonForm(texts_of(body, ["reason"])), {})["reason"])


def texts_of(body: Mapping[str, object], names: Sequence[str]) -> dict[str, str]:
    """Return fields of a body as text, empty if missing.

    :raises Invalid: if one is not text.
    """
    entered = {name: body.get(name) for name in names}
    values, errors = bodies.read(entered, dict.fromkeys(names, bodies.any_text))
    if errors:
        raise Invalid(errors)
    return values


def cleaned_by(form: forms.Form, names: Mapping[str, str]) -> bodies.Values:
    """Validate values with the form of a page, so that pages and API follow the same rules.

    :param names: form field -> name in the API, if they differ.
    :raises Invalid: naming each wrong field.
    """
    if form.is_valid():
        return form.cleaned_data
    raise Invalid(
        {
            names.get(name, name): [str(message) for message in messages]
            for name, messages in form.errors.items()
        }
    )


def refuse_if_any(refused: Iterable[Refusal], instead: Sequence[str] = ()) -> None:
    """Raise the problems of an action that was refused.

    :param instead: lines that are added if the problem is an ID that the ERP has already.
    :raises ApiError: if there are problems.
    """
    problems = [problem for refusal in refused for problem in refusal.problems]
    if any(problem.rule == "taken" for problem in problems):
        problems += [Problem("link_instead", "taken", line) for line in instead]
    if problems:
        raise api_errors.refused(problems)


def _instead(match: Match) -> list[str]:
    head = f"{match.erp_code}, {match.why}: link_instead with origin_id {match.erp_id}"
    return [
        head,
        *(
            f"{field.label}: the ERP holds {field.in_erp or 'nothing'}; sent was "
            f"{field.sent or 'nothing'}"
            for field in match.fields
        ),
    ]

"""``/companies/{id}/erp_queue``: the acceptance items, and the decisions about one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request as ApiRequest

from erp_integrations.adapters.base import Found, Problem
from erp_integrations.api import errors as api_errors
from erp_integrations.api import procore_status, schemas, serializers
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.querysets import search as by_words
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.workflow import item_details, parents
from erp_integrations.workflow.accept import actions, field_values, manual_resolution, matches
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.actions import Action
from erp_integrations.workflow.accept.decision_forms import AnswerForm, ReasonForm
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.refusals import MovedOn, NotTaken
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
def by_click(found: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Items that one click sent, accepted or retried. :raises WrongValue: for what is no id."""
    try:
        wanted = [UUID(value.strip()) for value in values]
    except ValueError:
        raise WrongValue("takes the id of a click, such as request_id of an item") from None
    return found.filter(Q(request__in=wanted) | Q(sent_in__in=wanted))


LISTING = Listing(
    filters={
        "id": ids("pk"),
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


class QueueItems(Resource):
    """What all calls about acceptance items have in common: which ones the caller can see."""

    reads = "items.view"
    listing = LISTING
    shown = {"": schemas.QueueItem}

    def found(self) -> ItemQuerySet:
        """Those of the account, or of the project in the path."""
        return Item.objects.visible_to(self.access)

    def shapes(self) -> Mapping[str, Shape]:
        """One: everything of an item is shown one by one."""
        return {"": serializers.items}

    def fetch(self, pk: int) -> Item:
        """One item with what is shown along with it. :raises Http404: if it cannot be seen."""
        item: Item = self.one(pk)
        item.account = self.access.account
        return item

    def whole(self, pk: int, status: int = 200) -> JsonAnswer:
        """One item with everything."""
        return JsonAnswer(serializers.whole_item(self.fetch(pk), self.access), status)

    def hold(self) -> None:
        """Only what a state is compared of: decisions lock the connection first, not the account,
        so that a click on thousands of items stops nobody who writes records.
        """
        for held in self.holds() if self.if_match else ():
            list(held.select_for_update(no_key=True).values_list("pk"))

    def holds(self) -> Iterator[QuerySet[Any]]:
        """The connection, then the item."""
        if "pk" in self.kwargs:
            yield Connection.objects.filter(pk=self.one(self.kwargs["pk"]).connection_id)
        yield from super().holds()

    def current(self) -> HttpResponse | None:
        """The item with everything, whatever is done to it."""
        return self.whole(self.kwargs["pk"]) if "pk" in self.kwargs else super().current()


class Queue(QueueItems):
    """The acceptance items."""

    @answering(Page)
    def get(self, request: ApiRequest, **path: Any) -> JsonAnswer:
        """A page of them."""
        return self.page()


class OneItem(QueueItems):
    """One acceptance item."""

    @answering(schemas.WholeItem)
    def get(self, request: ApiRequest, pk: int = 0, **path: Any) -> JsonAnswer:
        """What was sent, what will be written, what to fill in, attempts and history."""
        return self.whole(pk)

    @takes(an_object({"acceptance": schemas.ACCEPTANCE}))
    @answering(schemas.WholeItem, tagged=True)
    def patch(self, request: ApiRequest, pk: int, **path: Any) -> JsonAnswer:
        """Keep acceptance values without deciding. :raises Invalid: naming each refused field."""
        item = self.fetch(pk)
        self.require("items.accept", item.entity)
        given = acceptance_of(scope.body_of(request))
        saved = field_values.save({pk: given}, entity=item.entity, access=self.access)
        if saved.refused:
            raise Invalid({name: [why] for (_pk, name), why in saved.refused.items()})
        return self.whole(pk)


class ItemAction(QueueItems):
    """A decision about one item. ``POST …/erp_queue/{id}/actions/{name}``."""

    @answering(schemas.WholeItem, tagged=True)
    def post(self, request: ApiRequest, pk: int, **path: Any) -> JsonAnswer:
        """Decide, and show the item as it is then."""
        self.act(self.as_seen(pk), scope.body_of(request))
        return self.whole(pk)

    def right_for(self, item: Item) -> str:
        """What the caller has to be entitled to."""
        return "items.accept"

    def as_seen(self, pk: int) -> Item:
        """The item, if the caller may decide it.

        :raises ApiError: 409 where it is another revision than the caller saw.
        """
        item = self.fetch(pk)
        self.require(self.right_for(item), item.entity)
        seen = scope.body_of(self.request).get("digest")
        if seen is not None and seen != item.digest:
            raise api_errors.conflict("It is not the revision you looked at. Read it again.")
        return item

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """Carry it out. :raises ApiError: with every reason why not."""
        raise NotImplementedError


class Accept(ItemAction):
    """Accept a waiting item as it was seen: ``digest`` says which revision that was."""

    body = schemas.ACCEPT_BODY
    decide = staticmethod(accept_services.accept)

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """With the values given, and for those left out the saved or proposed ones."""
        digest = body.get("digest")
        if not isinstance(digest, str) or not digest:
            raise Malformed({"digest": ["is missing: send the digest of the item as you read it"]})
        accept_services.proposals_for([item])
        values = {**item.acceptance, **acceptance_of(body)}
        decision = Decision(item.pk, digest, values)
        done = self.decide([decision], entity=item.entity, access=self.access)
        refuse_if_any(done.refused, self.instead(item, values))

    def instead(self, item: Item, values: Mapping[str, Any]) -> list[str]:
        """How to link instead to what the ERP holds, and that field by field beside what was
        sent.
        """
        manifest = adapter_loading.usable_manifest(item.connection, item.entity)
        found = matches.matches(item, manifest, values) if manifest else []
        return [line for one in found if not one.linked_to for line in _instead(one)]


class Retry(Accept):
    """Export a failed item once more, as it was accepted or with other values."""

    decide = staticmethod(accept_services.retry)


class Reject(ItemAction):
    """Hand an item back to its sender; with ``include_children`` also what waits under it."""

    body = schemas.REJECT_BODY

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """With the reason, which the sender reads."""
        reason = reason_of(body)
        values, errors = bodies.read(body, {"include_children": bodies.flag})
        if errors:
            raise Invalid(errors)
        along = parents.below([item]) if values.get("include_children") else []
        found = Item.objects.filter(pk__in=[item.pk, *(one.pk for one in along)])
        done = accept_services.reject(found, entity=item.entity, reason=reason, access=self.access)
        mine = [one for one in done.refused if one.record_id == item.record_id]
        refuse_if_any(mine)


class Withdraw(ItemAction):
    """Take an accepted item out of the export again, while nothing of it has left."""

    body = schemas.REASON_BODY

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """With the reason."""
        try:
            accept_services.withdraw(item, reason=reason_of(body), by=self.access.user)
        except Refused as error:
            raise api_errors.conflict(str(error)) from error


class Answer(ItemAction):
    """What a person found in the ERP: ``answer`` is ``there`` (with ``origin_id``) or
    ``not_there``.
    """

    body = schemas.ANSWER_BODY
    # What the ERP holds under the ID that was given.
    in_erp: Found | None = None

    def prepare(self) -> None:
        """Ask the ERP for what is said to be there. :raises Invalid: where it holds no such ID."""
        super().prepare()
        item = self.as_seen(self.kwargs["pk"])
        key, _why = self._answered(item, scope.body_of(self.request))
        if key:
            with refusing("origin_id"):
                self.in_erp = manual_resolution.look_up(item, key)

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """Link to it, or send it again."""
        _key, why = self._answered(item, body)
        by = self.access.user
        with refusing("origin_id"):
            if self.in_erp is None:
                manual_resolution.it_is_not_there(item, by=by, why=why)
            else:
                manual_resolution.link_to(item, self.in_erp, by=by, why=why)

    def _answered(self, item: Item, body: Mapping[str, Any]) -> tuple[str, str]:
        """The ID under which it is there, empty where it is not; and the reason.

        :raises ApiError: for what is no answer, or an item that needs none.
        """
        word = body.get("answer")
        if word not in ("there", "not_there"):
            raise Invalid({"answer": ["must be there or not_there"]})
        given = texts_of(body, ["origin_id", "reason"])
        form = AnswerForm({"erp_id": given["origin_id"], "why": given["reason"]})
        cleaned = cleaned_by(form, {"erp_id": "origin_id", "why": "reason"})
        if Action.ANSWER not in actions.possible(item.state):
            raise api_errors.conflict(f"It needs no answer: {State(item.state).label}.")
        if word == "not_there":
            return "", cleaned["why"]
        if not cleaned["erp_id"]:
            raise Invalid({"origin_id": ["Give the ID that the record has in the ERP."]})
        return cleaned["erp_id"], cleaned["why"]


class LinkInstead(ItemAction):
    """Link a waiting or failed item to a record that the ERP holds, and write nothing: one of
    ``erp_matches``, or any other that the last refresh found.
    """

    body = schemas.LINK_BODY

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """To the record named by ``origin_id``; ``digest`` says which revision was seen."""
        given = texts_of(body, ["digest", "origin_id"])
        missing = {name: ["is missing"] for name, value in given.items() if not value}
        if missing:
            raise Malformed(missing)
        with refusing("origin_id"):
            manual_resolution.link_instead(
                item, erp_id=given["origin_id"], seen=given["digest"], access=self.access
            )


class UseAnyway(ItemAction):
    """Say that the ERP's record is the right one, where a program named its ID and the comparison
    found a difference or could not be made. A failed item is exported once more.
    """

    body = schemas.USE_BODY

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """With the reason; ``origin_ids`` are those of ``not_compared`` as they were read."""
        values, errors = bodies.read(body, {"origin_ids": bodies.texts})
        if errors:
            raise Invalid(errors)
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
    """End the link between the item's record and the ERP's; the ERP keeps what it has."""

    body = schemas.REASON_BODY

    def right_for(self, item: Item) -> str:
        """That of the record's own page."""
        return record_type(item.entity).unlink_action

    def act(self, item: Item, body: Mapping[str, Any]) -> None:
        """With the reason."""
        reason, link = reason_of(body), item_details.link_of(item)
        if link is None or item.state != State.SYNCED:
            raise api_errors.conflict("It is not linked to the ERP.")
        refused = unlink_services.unlink(
            item.account_id, item.entity, [item.record_id], by=self.access.user, why=reason
        )
        for why_not in refused.values():
            raise api_errors.conflict(why_not)


@contextmanager
def refusing(field: str) -> Iterator[None]:
    """Answer what a service refuses: 409 for what has moved on, else 422 of a field.

    :raises ApiError: in either case.
    """
    try:
        yield
    except MovedOn as error:
        raise api_errors.conflict(str(error)) from error
    except Refused as error:
        raise Invalid({field: [str(error)]}) from error


def acceptance_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The acceptance values of a body, as text.

    :raises Malformed: where they are no object. :raises Invalid: for a value that is no text.
    """
    given = body.get("acceptance") or {}
    if not isinstance(given, Mapping):
        raise Malformed({"acceptance": ["must be an object"]})
    readers = dict.fromkeys(given, bodies.any_text)
    values, errors = bodies.read(given, readers)
    if errors:
        raise Invalid({f"acceptance.{name[:50]}": told for name, told in errors.items()})
    return values


def reason_of(body: Mapping[str, Any]) -> str:
    """The reason, by the rules of the page. :raises Invalid: where it is missing or too long."""
    return str(cleaned_by(ReasonForm(texts_of(body, ["reason"])), {})["reason"])


def texts_of(body: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Some fields of a body as text, empty where missing. :raises Invalid: for another kind."""
    given = {name: body.get(name) for name in names}
    values, errors = bodies.read(given, dict.fromkeys(names, bodies.any_text))
    if errors:
        raise Invalid(errors)
    return values


def cleaned_by(form: forms.Form, names: Mapping[str, str]) -> dict[str, Any]:
    """What a page's form makes of values.

    :param names: field of the form -> its name in the API, where they differ.
    :raises Invalid: naming each field that is wrong.
    """
    if form.is_valid():
        return form.cleaned_data
    raise Invalid(
        {names.get(name, name): [str(one) for one in told] for name, told in form.errors.items()}
    )


def refuse_if_any(refused: Any, instead: Sequence[str] = ()) -> None:
    """:raises ApiError: with the reasons, where the click was not taken.

    :param instead: what is said along with an ID that is taken.
    """
    problems = [problem for one in refused for problem in one.problems]
    if any(problem.rule == "taken" for problem in problems):
        problems += [Problem("link_instead", "taken", line) for line in instead]
    if problems:
        raise api_errors.refused(problems)


def _instead(one: Match) -> list[str]:
    head = f"{one.erp_code}, {one.why}: link_instead with origin_id {one.erp_id}"
    return [
        head,
        *(
            f"{each.label}: the ERP holds {each.held or 'nothing'}; sent was "
            f"{each.sent or 'nothing'}"
            for each in one.fields
        ),
    ]

"""The page of one acceptance item, and the actions on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from erp_integrations.adapters.base import EntityManifest, Operation
from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.models import Attempt, Item
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import DECIDABLE, MOVING, OPEN, STATES, State
from erp_integrations.web import scoped_urls
from erp_integrations.web.forms import AcceptanceForm, UnlinkForm, UseAnywayForm, WithdrawForm
from erp_integrations.workflow import item_details, standing
from erp_integrations.workflow.accept import actions, manual_resolution, matches
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.decision_forms import AnswerForm, ReasonForm
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.badges import BADGES
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.refusals import NotTaken
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.refusals import Refused

RELATED = ("sent_by", "decided_by", "project", "connection")


def fetch(access: Access, public_id: UUID) -> Item:
    """Return the item.

    :raises Http404: if the person cannot see it in this scope.
    """
    items = Item.objects.visible_to(access).with_parent().select_related(*RELATED)
    item = get_object_or_404(items, public_id=public_id)
    # The account is loaded already; reading item.account would query it again.
    item.account = access.account
    return item


@require_safe
@scoped("items.view")
def item(request: ScopedRequest, public_id: UUID) -> HttpResponse:
    """Show what was sent, what will be written to the ERP, and what can be done."""
    return _page(request, fetch(request.access, public_id))


def _page(
    request: ScopedRequest,
    found: Item,
    *,
    form: AcceptanceForm | None = None,
    reason: ReasonForm | None = None,
    answer: AnswerForm | None = None,
    unlink: ReasonForm | None = None,
    use: ReasonForm | None = None,
    withdraw: ReasonForm | None = None,
) -> HttpResponse:
    access = request.access
    may_decide = access.can("items.accept", found.entity)
    manifest = adapter_loading.usable_manifest(found.connection, found.entity)
    link = item_details.link_of(found)
    # A form is passed in only to show its errors; otherwise the page starts with saved values.
    if form is None and manifest and may_decide and found.state in DECIDABLE:
        form = _acceptance_form(found, manifest)
    asks_values = found.operation == Operation.CREATE
    seen, told = _matches(found, manifest, form), comparison.asked(found)
    available = actions.available(
        found, access, manifest=manifest, link=link, matches=seen, told=told
    )
    context = {
        "item": found,
        "kind": record_type(found.entity),
        "badge": BADGES[found.state],
        "meaning": STATES[State(found.state)].meaning,
        "urls": {
            name: scoped_urls.to(access, f"item_{name}", public_id=found.public_id)
            for name in (
                "status",
                "accept",
                "reject",
                "answer",
                "link",
                "use",
                "unlink",
                "withdraw",
            )
        },
        "list_url": scoped_urls.to(access, "items", kind=record_type(found.entity).slug),
        "may_open": access.can(record_type(found.entity).view_action),
        "record_url": record_type(found.entity).url(
            found.account_id, found.record_id, scoped_urls.project_id(access)
        ),
        "may_decide": may_decide,
        # Nobody accepts what they sent themselves (docs/design/permissions.md, "The accounting
        # approver").
        "own": found.needs_second_approver(access),
        "moving": found.state in MOVING,
        "standing": standing.sentence(found),
        "wait": wait_reasons.of_item(found),
        "open": found.state in OPEN,
        "wire": item_details.wire(found),
        "changes": item_details.changes(found, link, manifest),
        "link": link,
        "rejection": item_details.rejected_before(found, manifest) if found.state in OPEN else None,
        "unlinked": item_details.unlinked(found),
        "manifest": manifest,
        "form": form if asks_values else None,
        "matches": seen,
        "told": [(comparison.named(one), one.erp_id) for one in told],
        "available": available,
        "decidable": actions.possible(found.state) & actions.DECISIONS,
        # A prefix for each form, because several of them are on the page with equal field names.
        "use": use or UseAnywayForm(prefix="use"),
        "accept_label": "Retry" if found.state == State.FAILED else "Accept",
        "withdraw": withdraw or WithdrawForm(prefix="withdraw"),
        "unlink": unlink or UnlinkForm(prefix="unlink"),
        "reason": reason or ReasonForm(prefix="reject"),
        "answer": answer or AnswerForm(prefix="answer"),
        "in_erp": _seen_in_erp(found),
        "attempts": found.tries.order_by("-fence")[:20],
        # The ERP's answers word for word, only for those who configure the connection.
        "may_read_answers": access.can("connection.configure"),
        "history": item_details.history(found),
    }
    return render(request, "erp/item.html", context)


def _acceptance_form(
    found: Item, manifest: EntityManifest, data: Any | None = None
) -> AcceptanceForm:
    # Fills in free IDs in memory; they are stored when the person accepts.
    accept_services.proposals_for([found])
    return AcceptanceForm(manifest, found.connection, data, initial=found.acceptance)


def _matches(
    found: Item, manifest: EntityManifest | None, form: AcceptanceForm | None
) -> list[Match]:
    """Return records of the ERP that may be the same, also by the ID that is typed in the form."""
    if manifest is None or form is None:
        return []
    return matches.matches(found, manifest, form.data if form.is_bound else found.acceptance)


def _seen_in_erp(found: Item) -> Attempt | None:
    """Return the attempt whose lookup found the ID taken, if that is why the item failed."""
    if found.state != State.FAILED or found.error_class != "duplicate":
        return None
    looks = found.tries.filter(first_look="present").exclude(erp_id="")
    return looks.order_by("-fence").first()


@require_safe
@scoped("items.view")
def status(request: ScopedRequest, public_id: UUID) -> HttpResponse:
    """Show the state of a moving item, which the browser polls; reload the page once it stops."""
    found = fetch(request.access, public_id)
    if found.state not in MOVING:
        return HttpResponseClientRefresh()
    context = {
        "item": found,
        "badge": BADGES[found.state],
        "meaning": STATES[State(found.state)].meaning,
        "moving": True,
        "standing": standing.sentence(found),
        "wait": wait_reasons.of_item(found),
        "status_url": scoped_urls.to(request.access, "item_status", public_id=public_id),
    }
    return render(request, "erp/parts/status.html", context)


def _for_decision(request: ScopedRequest, public_id: UUID) -> Item:
    found = fetch(request.access, public_id)
    require(request.access, "items.accept", found.entity)
    return found


def _back(request: ScopedRequest, found: Item) -> HttpResponseBase:
    return redirect(scoped_urls.to(request.access, "item", public_id=found.public_id))


@require_POST
@scoped("items.view")
def accept_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Accept a waiting item, or retry a failed one, with the posted values."""
    found = _for_decision(request, public_id)
    manifest = adapter_loading.usable_manifest(found.connection, found.entity)
    values: dict[str, Any] = {}
    form = None
    # An update has no acceptance values. Without a usable adapter, the service refuses in words.
    if manifest is not None and found.operation == Operation.CREATE and found.state in DECIDABLE:
        form = _acceptance_form(found, manifest, request.POST)
        if not form.is_valid():
            return _page(request, found, form=form)
        values = form.cleaned_data
    # The digest is that of the page: another revision sent meanwhile is refused.
    decision = Decision(found.pk, request.POST.get("digest", ""), values)
    done = accept_services.accept_or_retry(
        [found], [decision], entity=found.entity, access=request.access
    )
    if done.done:
        _say_on_its_way(request, found, "was accepted")
        return _back(request, found)
    return _refused(request, found, form, done.refused)


def _say_on_its_way(request: ScopedRequest, found: Item, done: str) -> None:
    """Say that the item goes to the ERP, or why it waits first."""
    # The service has changed the row, not this object.
    found.refresh_from_db(fields=["state", "not_before", "waits_for", "error_text"])
    wait = wait_reasons.of_item(found)
    if wait is None:
        messages.success(request, f"{found.label} {done} and is on its way to the ERP.")
    else:
        messages.warning(request, f"{found.label} {done}. It waits: {wait.short}. {wait.text}")


def _refused(
    request: ScopedRequest, found: Item, form: AcceptanceForm | None, refused: Any
) -> HttpResponseBase:
    """Show every reason at its field, with the typed values kept."""
    found.refresh_from_db()
    for problem in (problem for one in refused for problem in one.problems):
        if form is not None and problem.field in form.fields:
            form.add_error(problem.field, problem.message)
        else:
            messages.error(request, problem.message)
    # Decided by somebody else meanwhile: the form is no use any more.
    if form is None or found.state not in DECIDABLE:
        return _back(request, found)
    return _page(request, found, form=form)


@require_POST
@scoped("items.view")
def reject_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Reject one item and return it to its sender, with the reason."""
    found = _for_decision(request, public_id)
    form = ReasonForm(request.POST, prefix="reject")
    if not form.is_valid():
        return _page(request, found, reason=form)
    items = Item.objects.filter(pk=found.pk)
    reason = form.cleaned_data["reason"]
    done = accept_services.reject(items, entity=found.entity, reason=reason, access=request.access)
    if done.done:
        messages.success(request, f"{found.label} was returned to {found.sent_by}.")
    for problem in (problem for one in done.refused for problem in one.problems):
        messages.error(request, problem.message)
    return _back(request, found)


@require_POST
@scoped("items.view")
def answer_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Link the item to the ERP's record, or send it again, by what the person found in the ERP."""
    found = _for_decision(request, public_id)
    form = AnswerForm(request.POST, prefix="answer")
    # Any other value is "absent", which a failed item is not offered.
    there = request.POST.get("answer") == "there"
    if form.is_valid() and there and not form.cleaned_data["erp_id"]:
        form.add_error("erp_id", "Give the ID that the record has in the ERP.")
    if not form.is_valid():
        return _page(request, found, answer=form)
    why, typed = form.cleaned_data["why"], form.cleaned_data["erp_id"]
    try:
        # Not in one transaction: the lookup asks the ERP, and no lock may be held meanwhile.
        if there:
            manual_resolution.look_up_and_link(found, key=typed, by=request.user, why=why)
        else:
            manual_resolution.it_is_not_there(found, by=request.user, why=why)
    except Refused as refused:
        form.add_error("erp_id" if there else None, str(refused))
        found.refresh_from_db()
        return _page(request, found, answer=form)
    if there:
        messages.success(request, f"{found.label} is linked.")
    else:
        _say_on_its_way(request, found, "is sent again")
    return _back(request, found)


@require_POST
@scoped("items.view")
def link_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Link the item to a record of the ERP instead of exporting it; nothing is written there."""
    found = _for_decision(request, public_id)
    # Only records that the last refresh found; the service refuses other IDs and an old digest.
    try:
        manual_resolution.link_instead(
            found,
            erp_id=request.POST.get("erp_id", ""),
            seen=request.POST.get("digest", ""),
            access=request.access,
        )
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"{found.label} is linked. Nothing was written to the ERP.")
    return _back(request, found)


@require_POST
@scoped("items.view")
def use_anyway(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Confirm an ID that an API client has set; a failed item is exported again."""
    found = _for_decision(request, public_id)
    form = UseAnywayForm(request.POST, prefix="use")
    if not form.is_valid():
        return _page(request, found, use=form)
    # Read before the call, which moves the item on.
    failed = found.state == State.FAILED
    try:
        accept_services.use_anyway(
            found,
            seen=request.POST.getlist("erp_id"),
            reason=form.cleaned_data["reason"],
            access=request.access,
        )
    except NotTaken as refused:
        for problem in refused.problems:
            messages.error(request, problem.message)
    else:
        messages.success(request, f"{found.label} now uses the ERP ID that was named.")
        if failed:
            _say_on_its_way(request, found, "was retried")
    return _back(request, found)


@require_POST
@scoped("items.view")
def unlink_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """End the link between the record and the ERP's record, which stays as it is."""
    found = fetch(request.access, public_id)
    # Unlinking has a rule of its own (docs/design/permissions.md, "Who does what").
    require(request.access, record_type(found.entity).unlink_action)
    form = UnlinkForm(request.POST, prefix="unlink")
    if not form.is_valid():
        return _page(request, found, unlink=form)
    # Read before it ends, for the message.
    link = item_details.link_of(found)
    refused = unlink_services.unlink(
        found.account_id,
        found.entity,
        [found.record_id],
        by=request.user,
        why=form.cleaned_data["reason"],
    )
    if refused:
        form.add_error(None, f"Nothing was done. {refused[found.record_id]}")
        return _page(request, found, unlink=form)
    words = link.erp_code if link else "the ERP"
    messages.success(request, f"{found.label} is no longer linked to {words}.")
    return _back(request, found)


@require_POST
@scoped("items.view")
def withdraw_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Withdraw an accepted item from the export while nothing of it can be in the ERP."""
    found = _for_decision(request, public_id)
    form = WithdrawForm(request.POST, prefix="withdraw")
    if not form.is_valid():
        return _page(request, found, withdraw=form)
    try:
        accept_services.withdraw(found, reason=form.cleaned_data["reason"], by=request.user)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"{found.label} was withdrawn and waits for a decision again.")
    return _back(request, found)

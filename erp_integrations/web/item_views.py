"""The page of one acceptance item, and the actions on it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from erp_integrations.adapters.base import EntityManifest, ErrorClass, Operation
from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.models import Attempt, Item
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import DECIDABLE, MOVING, OPEN, STATES, State
from erp_integrations.web.forms import AcceptanceForm, UnlinkForm, UseAnywayForm, WithdrawForm
from erp_integrations.workflow import item_details, scoped_urls, standing
from erp_integrations.workflow.accept import actions, lookup_job, manual_resolution, matches
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.decision_forms import AnswerForm, ReasonForm
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.badges import BADGES
from erp_integrations.workflow.bulk_requests import Refusal
from erp_integrations.workflow.links import comparison
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.refusals import NotTaken
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.jobs import views as job_pages
from erpbridge.jobs.models import Job
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
@scoped(Permission.ITEMS_VIEW)
def item(request: ScopedRequest, public_id: UUID) -> HttpResponse:
    """Show what was sent, what will be written to the ERP, and what can be done."""
    return _page(request, fetch(request.access, public_id))


def _page(
    request: ScopedRequest,
    item: Item,
    *,
    form: AcceptanceForm | None = None,
    digest: str | None = None,
    reason: ReasonForm | None = None,
    answer: AnswerForm | None = None,
    unlink: ReasonForm | None = None,
    use: ReasonForm | None = None,
    withdraw: ReasonForm | None = None,
) -> HttpResponse:
    access = request.access
    may_decide = access.can(Permission.ITEMS_ACCEPT, item.entity)
    manifest = adapter_loading.usable_manifest(item.connection, item.entity)
    link = item_details.link_of(item)
    # A form is passed in only to show its errors; otherwise the page starts with saved values.
    if form is None and manifest and may_decide and item.state in DECIDABLE:
        form = _acceptance_form(item, manifest)
    asks_values = item.operation == Operation.CREATE
    matching, uncompared = _matches(item, manifest, form), comparison.asked(item)
    available = actions.available(
        item, access, manifest=manifest, link=link, matches=matching, uncompared=uncompared
    )
    lookup = lookup_job.latest(item)
    context = {
        "item": item,
        # The posted one, if the form is shown again before the version was compared.
        "digest": item.digest if digest is None else digest,
        "kind": record_type(item.entity),
        "badge": BADGES[item.state],
        "meaning": STATES[State(item.state)].meaning,
        "urls": {
            name: scoped_urls.to(access, f"item_{name}", public_id=item.public_id)
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
        "list_url": scoped_urls.to(access, "items", kind=record_type(item.entity).slug),
        "may_open": access.can(record_type(item.entity).view_action),
        "record_url": record_type(item.entity).url(
            item.account_id, item.record_id, scoped_urls.project_id(access)
        ),
        "may_decide": may_decide,
        # Nobody accepts what they sent themselves (docs/design/permissions.md, "The accounting
        # approver").
        "own": item.needs_second_approver(access),
        "moving": item.state in MOVING,
        "standing": standing.sentence(item),
        "wait": wait_reasons.of_item(item),
        "open": item.state in OPEN,
        "wire": item_details.wire(item),
        "changes": item_details.changes(item, link, manifest),
        "link": link,
        "rejection": item_details.rejected_before(item, manifest) if item.state in OPEN else None,
        "unlinked": item_details.unlinked(item),
        "manifest": manifest,
        "form": form if asks_values else None,
        "matches": matching,
        "told": [(comparison.named(named_link), named_link.erp_id) for named_link in uncompared],
        "available": available,
        "decidable": actions.possible(item.state) & actions.DECISIONS,
        # A prefix for each form, because several of them are on the page with equal field names.
        "use": use or UseAnywayForm(prefix="use"),
        "accept_label": "Retry" if item.state == State.FAILED else "Accept",
        "withdraw": withdraw or WithdrawForm(prefix="withdraw"),
        "unlink": unlink or UnlinkForm(prefix="unlink"),
        "reason": reason or ReasonForm(prefix="reject"),
        "answer": answer or _answer_form(lookup),
        "lookup": lookup,
        "looking": job_pages.running(access, lookup.subject) if lookup else {},
        "in_erp": _seen_in_erp(item),
        "attempts": item.tries.order_by("-fence")[:20],
        # The ERP's answers word for word, only for those who configure the connection.
        "may_read_answers": access.can(Permission.CONNECTION_CONFIGURE),
        "history": item_details.history(item),
    }
    return render(request, "erp/item.html", context)


def _answer_form(lookup: Job | None) -> AnswerForm:
    """The form to answer with, filled with what the last lookup did not find in the ERP."""
    given = {"erp_id": lookup.args["key"], "why": lookup.args["why"]} if lookup else None
    return AnswerForm(prefix="answer", initial=given)


def _acceptance_form(
    item: Item, manifest: EntityManifest, data: object | None = None
) -> AcceptanceForm:
    # Fills in free IDs in memory; they are stored when the person accepts.
    accept_services.proposals_for([item])
    return AcceptanceForm(manifest, item.connection, data, initial=item.acceptance)


def _matches(
    item: Item, manifest: EntityManifest | None, form: AcceptanceForm | None
) -> list[Match]:
    """Return records of the ERP that may be the same, also by the ID that is typed in the form."""
    if manifest is None or form is None:
        return []
    return matches.matches(item, manifest, form.data if form.is_bound else item.acceptance)


def _seen_in_erp(item: Item) -> Attempt | None:
    """Return the attempt whose lookup found the ID taken, if that is why the item failed."""
    if item.state != State.FAILED or item.error_class != ErrorClass.DUPLICATE:
        return None
    looks = item.tries.filter(first_look=Attempt.FirstLook.PRESENT).exclude(erp_id="")
    return looks.order_by("-fence").first()


@require_safe
@scoped(Permission.ITEMS_VIEW)
def status(request: ScopedRequest, public_id: UUID) -> HttpResponse:
    """Show the state of a moving item, which the browser polls; reload the page once it stops."""
    item = fetch(request.access, public_id)
    if item.state not in MOVING:
        return HttpResponseClientRefresh()
    context = {
        "item": item,
        "badge": BADGES[item.state],
        "meaning": STATES[State(item.state)].meaning,
        "moving": True,
        "standing": standing.sentence(item),
        "wait": wait_reasons.of_item(item),
        "status_url": scoped_urls.to(request.access, "item_status", public_id=public_id),
    }
    return render(request, "erp/parts/status.html", context)


def _for_decision(request: ScopedRequest, public_id: UUID) -> Item:
    item = fetch(request.access, public_id)
    require(request.access, Permission.ITEMS_ACCEPT, item.entity)
    return item


def _to_item(request: ScopedRequest, item: Item) -> HttpResponseBase:
    return redirect(scoped_urls.to(request.access, "item", public_id=item.public_id))


@require_POST
@scoped(Permission.ITEMS_VIEW)
def accept_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Accept a waiting item, or retry a failed one, with the posted values."""
    item = _for_decision(request, public_id)
    manifest = adapter_loading.usable_manifest(item.connection, item.entity)
    digest = request.POST.get("digest", "")
    values: dict[str, object] = {}
    form = None
    # An update has no acceptance values. Without a usable adapter, the service refuses in words.
    if manifest is not None and item.operation == Operation.CREATE and item.state in DECIDABLE:
        form = _acceptance_form(item, manifest, request.POST)
        if not form.is_valid():
            return _page(request, item, form=form, digest=digest)
        values = form.cleaned_data
    # The digest is that of the page: another revision sent meanwhile is refused.
    decision = Decision(item.pk, digest, values)
    result = accept_services.accept_or_retry(
        [item], [decision], entity=item.entity, access=request.access
    )
    if result.done:
        _say_on_its_way(request, item, "was accepted")
        return _to_item(request, item)
    return _refused(request, item, form, result.refused)


def _say_on_its_way(request: ScopedRequest, item: Item, participle: str) -> None:
    """Say that the item goes to the ERP, or why it waits first."""
    # The service has changed the row, not this object.
    item.refresh_from_db(fields=["state", "not_before", "waits_for", "error_text"])
    wait = wait_reasons.of_item(item)
    if wait is None:
        messages.success(request, f"{item.label} {participle} and is on its way to the ERP.")
    else:
        messages.warning(request, f"{item.label} {participle}. It waits: {wait.short}. {wait.text}")


def _refused(
    request: ScopedRequest, item: Item, form: AcceptanceForm | None, refused: Iterable[Refusal]
) -> HttpResponseBase:
    """Show every reason at its field, with the typed values kept."""
    item.refresh_from_db()
    for problem in (problem for refusal in refused for problem in refusal.problems):
        if form is not None and problem.field in form.fields:
            form.add_error(problem.field, problem.message)
        else:
            messages.error(request, problem.message)
    # Decided by somebody else meanwhile: the form is no use any more.
    if form is None or item.state not in DECIDABLE:
        return _to_item(request, item)
    return _page(request, item, form=form)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def reject_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Reject one item and return it to its sender, with the reason."""
    item = _for_decision(request, public_id)
    form = ReasonForm(request.POST, prefix="reject")
    if not form.is_valid():
        return _page(request, item, reason=form)
    items = Item.objects.filter(pk=item.pk)
    reason = form.cleaned_data["reason"]
    result = accept_services.reject(items, entity=item.entity, reason=reason, access=request.access)
    if result.done:
        messages.success(request, f"{item.label} was returned to {item.sent_by}.")
    for problem in (problem for refusal in result.refused for problem in refusal.problems):
        messages.error(request, problem.message)
    return _to_item(request, item)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def answer_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Link the item to the ERP's record, or send it again, by what the person found in the ERP."""
    item = _for_decision(request, public_id)
    form = AnswerForm(request.POST, prefix="answer")
    # Any other value is "absent", which a failed item is not offered.
    is_there = request.POST.get("answer") == "there"
    if form.is_valid() and is_there and not form.cleaned_data["erp_id"]:
        form.add_error("erp_id", "Give the ID that the record has in the ERP.")
    if not form.is_valid():
        return _page(request, item, answer=form)
    reason, erp_id = form.cleaned_data["why"], form.cleaned_data["erp_id"]
    try:
        if is_there:
            lookup = lookup_job.link_named(item, key=erp_id, access=request.access, why=reason)
        else:
            manual_resolution.it_is_not_there(item, by=request.user, why=reason)
    except Refused as refused:
        form.add_error("erp_id" if is_there else None, str(refused))
        item.refresh_from_db()
        return _page(request, item, answer=form)
    if not is_there:
        _say_on_its_way(request, item, "is sent again")
    elif lookup is None:
        messages.success(request, f"{item.label} is linked.")
    return _to_item(request, item)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def link_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Link the item to a record of the ERP instead of exporting it; nothing is written there."""
    item = _for_decision(request, public_id)
    # Only records that the last refresh found; the service refuses other IDs and an old digest.
    try:
        manual_resolution.link_instead(
            item,
            erp_id=request.POST.get("erp_id", ""),
            seen=request.POST.get("digest", ""),
            access=request.access,
        )
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"{item.label} is linked. Nothing was written to the ERP.")
    return _to_item(request, item)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def use_anyway(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Confirm an ID that an API client has set; a failed item is exported again."""
    item = _for_decision(request, public_id)
    form = UseAnywayForm(request.POST, prefix="use")
    if not form.is_valid():
        return _page(request, item, use=form)
    # Read before the call, which moves the item on.
    had_failed = item.state == State.FAILED
    try:
        accept_services.use_anyway(
            item,
            seen=request.POST.getlist("erp_id"),
            reason=form.cleaned_data["reason"],
            access=request.access,
        )
    except NotTaken as refused:
        for problem in refused.problems:
            messages.error(request, problem.message)
    else:
        messages.success(request, f"{item.label} now uses the ERP ID that was named.")
        if had_failed:
            _say_on_its_way(request, item, "was retried")
    return _to_item(request, item)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def unlink_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """End the link between the record and the ERP's record, which stays as it is."""
    item = fetch(request.access, public_id)
    # Unlinking has a rule of its own (docs/design/permissions.md, "Who does what").
    require(request.access, record_type(item.entity).unlink_action)
    form = UnlinkForm(request.POST, prefix="unlink")
    if not form.is_valid():
        return _page(request, item, unlink=form)
    # Read before it ends, for the message.
    link = item_details.link_of(item)
    refused = unlink_services.unlink(
        item.account_id,
        item.entity,
        [item.record_id],
        by=request.user,
        why=form.cleaned_data["reason"],
    )
    if refused:
        form.add_error(None, f"Nothing was done. {refused[item.record_id]}")
        return _page(request, item, unlink=form)
    words = link.erp_code if link else "the ERP"
    messages.success(request, f"{item.label} is no longer linked to {words}.")
    return _to_item(request, item)


@require_POST
@scoped(Permission.ITEMS_VIEW)
def withdraw_item(request: ScopedRequest, public_id: UUID) -> HttpResponseBase:
    """Withdraw an accepted item from the export while nothing of it can be in the ERP."""
    item = _for_decision(request, public_id)
    form = WithdrawForm(request.POST, prefix="withdraw")
    if not form.is_valid():
        return _page(request, item, withdraw=form)
    try:
        accept_services.withdraw(item, reason=form.cleaned_data["reason"], by=request.user)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"{item.label} was withdrawn and waits for a decision again.")
    return _to_item(request, item)

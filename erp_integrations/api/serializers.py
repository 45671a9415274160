"""JSON of acceptance items, bulk requests and the ERP state of records.

Plain functions instead of DRF serializers, which were measured to be slower
(docs/design/measured-choices.md, "Lists").
"""

from __future__ import annotations

from collections.abc import Sequence

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, Operation
from erp_integrations.api import procore_status
from erp_integrations.connections import adapter_loading, wait_reasons
from erp_integrations.connections.wait_reasons import Wait
from erp_integrations.models import Item, Link, Request
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import MOVING, State
from erp_integrations.workflow import item_details, standing
from erp_integrations.workflow.accept import actions, lookup_job, matches
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.field_choices import Offers
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.bulk_requests import RefusedRow
from erp_integrations.workflow.links import comparison
from erpbridge.access.models import User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.among import among
from erpbridge.jobs.models import Job

RELATED = ("sent_by", "decided_by", "connection", "request", "sent_in")
# The newest attempts that an item shows.
MOST_ATTEMPTS = 20


def person(user: User | None) -> dict[str, object] | None:
    """Return a person as Procore shows one inside another record."""
    return {"id": user.pk, "name": user.name, "login": user.email} if user else None


def items(pks: Sequence[int]) -> dict[int, dict[str, object]]:
    """Return items by id, as a list shows them, in a fixed number of queries."""
    rows = list(Item.objects.filter(among("pk", pks)).select_related(*RELATED))
    # The reason of a connection is determined once for all its items.
    held_up = wait_reasons.of_items(rows)
    return {item.pk: _item(item, held_up.get(item.pk)) for item in rows}


def waiting(wait: Wait | None) -> dict[str, object] | None:
    """Return why something waits and when it is tried next; None if it does not wait."""
    if wait is None:
        return None
    return {"cause": wait.cause, "message": wait.why, "next_try_at": wait.next_try_at}


def _item(item: Item, wait: Wait | None) -> dict[str, object]:
    return {
        "id": item.pk,
        "company_id": item.account_id,
        "project_id": item.project_id,
        "item_type": procore_status.item_type(item.entity),
        "item_id": item.record_id,
        "label": item.label,
        "erp_status": procore_status.of_item(item.state, item.operation),
        "state": item.state,
        "operation": item.operation,
        "revision": item.revision,
        "digest": item.digest,
        "erp_connection": {"id": item.connection_id, "name": item.connection.name},
        "sent_by": person(item.sent_by),
        "sent_at": item.sent_at,
        # An empty text is shown as null (docs/design/procore-rest-conventions.md, "Formats").
        "note": item.note or None,
        "decided_by": person(item.decided_by),
        "decided_at": item.decided_at,
        "decision_note": item.decision_note or None,
        "settled_at": item.settled_at,
        "origin_id": item.erp_id or None,
        "origin_code": item.erp_code or None,
        "waits_for_item_id": item.waits_for,
        "waits": waiting(wait),
        "error": _error(item),
        "sent_in_request_id": item.sent_in_id,
        "request_id": item.request_id,
    }


def _error(item: Item) -> dict[str, object] | None:
    if not item.error_text:
        return None
    return {
        "kind": item.error_class or None,
        "field": item.error_field or None,
        "message": item.error_text,
        "advice": item.error_advice or None,
    }


def whole_item(item: Item, access: Access) -> dict[str, object]:
    """Return one item with everything that its page shows."""
    manifest = adapter_loading.usable_manifest(item.connection, item.entity)
    link = item_details.link_of(item)
    # Proposed IDs first: the matches are looked for by them as well.
    accept_services.proposals_for([item])
    erp_matches = matches.matches(item, manifest, item.acceptance) if manifest else []
    offers = Offers(item.connection, manifest) if manifest else None
    uncompared = comparison.asked(item)
    # Only a create has acceptance values; an update goes by the link.
    acceptance_fields = (
        manifest.acceptance_fields if manifest and item.operation == Operation.CREATE else ()
    )
    return {
        **_item(item, wait_reasons.of_item(item)),
        "standing": standing.sentence(item) or None,
        "lookup": _lookup(lookup_job.latest(item)),
        "payload": item.payload,
        "acceptance": item.acceptance,
        "acceptance_fields": [_field(field, item, offers) for field in acceptance_fields],
        "preview": _preview(item),
        "changes": item_details.changes(item, link, manifest),
        "rejected_before": _rejection(item, manifest),
        "erp_matches": [_match(match) for match in erp_matches],
        "not_compared": [_not_compared(named_link) for named_link in uncompared],
        "available_actions": actions.available(
            item, access, manifest=manifest, link=link, matches=erp_matches, uncompared=uncompared
        ),
        "attempts": _attempts(item, access),
        "history": [
            {**event, "actor": person(event["actor"])} for event in item_details.history(item)
        ],
    }


def _lookup(job: Job | None) -> dict[str, object] | None:
    if job is None:
        return None
    return {"origin_id": job.args["key"], "status": job.state, "problem": job.problem or None}


def _field(field: AcceptanceField, item: Item, offers: Offers | None) -> dict[str, object]:
    # None: free text. An empty list would mean that the ERP offers nothing.
    choices = None
    if field.choices and offers is not None:
        choices = [{"key": code, "value": label} for code, label in offers.of(field.name).items()]
    return {
        "name": field.name,
        "label": field.label,
        "required": field.required,
        "help": field.help or None,
        "rules": [{"kind": rule.kind, "value": rule.value} for rule in field.rules],
        "choices": choices,
        "value": item.acceptance.get(field.name) or None,
    }


def _preview(item: Item) -> dict[str, object] | None:
    wire = item_details.wire(item)
    if wire is None:
        return None
    fields = [
        {
            "name": field.erp_name,
            "value": field.value,
            "source": field.source or None,
            "unchanged": field.unchanged,
        }
        for field in wire.fields
    ]
    return {"fields": fields, "text": wire.text}


def _rejection(item: Item, manifest: EntityManifest | None) -> dict[str, object] | None:
    rejection = item_details.rejected_before(item, manifest)
    if rejection is None:
        return None
    return {**vars(rejection), "by": person(rejection.by)}


def _match(match: Match) -> dict[str, object]:
    return {
        "origin_id": match.erp_id,
        "origin_code": match.erp_code,
        "label": match.label,
        "same": list(match.same),
        "linked_to": match.linked_to or None,
        "fields": [
            {
                "label": field.label,
                "in_erp": field.in_erp,
                "sent": field.sent,
                "differs": field.differs,
            }
            for field in match.fields
        ],
    }


def _not_compared(link: Link) -> dict[str, object]:
    return {
        "item_id": link.record_id,
        "label": str(link),
        "origin_id": link.erp_id,
        "message": comparison.named(link),
    }


def _attempts(item: Item, access: Access) -> list[dict[str, object]]:
    # The ERP's answers are shown word for word only to those who configure the connection.
    reads = bool(access.can(Permission.CONNECTION_CONFIGURE))
    return [
        {
            "id": attempt.pk,
            "number": attempt.fence,
            "opened_at": attempt.opened_at,
            "answered_at": attempt.answered_at,
            "outcome": attempt.outcome,
            "error_kind": attempt.error_class or None,
            "origin_id": attempt.erp_id or None,
            "answer_excerpt": (reads and attempt.answer_excerpt) or None,
        }
        for attempt in item.tries.order_by("-fence")[:MOST_ATTEMPTS]
    ]


def click(request: Request) -> dict[str, object]:
    """Return the outcome of a bulk request and its progress, in a fixed number of queries."""
    # An accept or retry moves items that were there; a send created its items.
    items = (
        request.items.all()
        if request.verb in (Request.Verb.ACCEPT, Request.Verb.RETRY)
        else request.sent_items.all()
    )
    counts = {
        "moving": items.filter(state__in=MOVING).count(),
        "synced": items.filter(state=State.SYNCED).count(),
        "failed": items.filter(state__in=[State.FAILED, State.NEEDS_ANSWER]).count(),
    }
    return {
        "id": str(request.pk),
        "company_id": request.account_id,
        "project_id": request.project_id,
        "item_type": procore_status.item_type(request.entity),
        "action": request.verb,
        "created_by": person(request.by),
        "created_at": request.at,
        "done": request.done,
        "refused": [_row(row) for row in request.refused],
        "progress": counts,
        "waits": waiting(wait_reasons.of_click(request)),
    }


def _row(row: RefusedRow) -> dict[str, object]:
    errors: dict[str, list[str]] = {}
    for problem in row["problems"]:
        errors.setdefault(problem["field"] or "base", []).append(problem["message"])
    return {"item_id": row["record_id"], "label": row["label"], "errors": errors}


def records(entity: str, pks: Sequence[int], access: Access) -> dict[int, dict[str, object]]:
    """Return the ERP state of records by id; the number of queries does not grow with ``pks``."""
    rows = record_type(entity).model._base_manager.filter(among("pk", pks))
    latest: dict[int, int] = {}
    if access.can(Permission.ITEMS_VIEW):
        items = Item.objects.visible_to(access).filter(among("record_id", pks), entity=entity)
        # Ordered by id, so that the last item of a record wins.
        latest = dict(items.order_by("pk").values_list("record_id", "pk"))
    links = Link.objects.active().filter(connection__account=access.account, entity=entity)
    # ``told`` marks an ID that an API client has set and nobody has compared yet.
    compared_links = links.filter(among("record_id", pks), told=False)
    compared = set(compared_links.values_list("record_id", flat=True))
    return {
        row.pk: {
            "id": row.pk,
            "item_type": procore_status.item_type(entity),
            "erp_status": procore_status.of_record(row),
            "state": row.erp_state or None,
            "synced_to_erp": bool(row.origin_id),
            "changed_since_sync": row.drifted,
            "origin_id": row.origin_id or None,
            "origin_code": row.origin_code or None,
            "origin_compared": row.pk in compared if row.origin_id else None,
            "revision": row.revision,
            "erp_queue_id": latest.get(row.pk),
        }
        for row in rows
    }

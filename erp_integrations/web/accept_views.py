"""The page on which many items are accepted at once, each with its own acceptance fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, Operation
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item
from erp_integrations.models.record_types import RecordType
from erp_integrations.web.acceptance_grid import VALUE, posted_values
from erp_integrations.web.forms import CommonValuesForm
from erp_integrations.web.item_list_views import back_to, chosen_items, kind_of, limited
from erp_integrations.workflow import scoped_urls
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.field_choices import Offers
from erp_integrations.workflow.accept.services import Decision
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped

# Rows that are shown with their fields; others get proposed IDs and the common values.
MOST_ROWS_SHOWN = 500
# Prefix of the fields with the digests of the rows, before the id of the item.
DIGEST = "digest-"
Values = Mapping[str, object]


@require_POST
@scoped(Permission.ITEMS_VIEW)
def accept_many(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """Show the chosen items with the fields of each; accept or retry them after confirmation.

    :raises PermissionDenied: if the person may not accept items of this type.
    """
    record_type = kind_of(kind)
    access = request.access
    require(access, Permission.ITEMS_ACCEPT, record_type.entity)
    rows = limited(request, chosen_items(access, record_type, request.POST))
    if rows is None:
        return redirect(back_to(request, record_type))
    connection = connection_services.active(access.account.pk, record_type.entity)
    manifest = adapter_loading.usable_manifest(connection, record_type.entity)
    if connection is None or manifest is None:
        messages.error(request, "Nothing was done: no usable ERP connection for these records.")
        return redirect(back_to(request, record_type))
    # For all rows at once, so that no free ID is proposed twice.
    accept_services.proposals_for(rows)
    confirmed = bool(request.POST.get("confirm"))
    # Unbound on the first request, so that opening the page shows no errors.
    form = CommonValuesForm(manifest, connection, request.POST if confirmed else None)
    if confirmed and form.is_valid():
        own = _own_values(rows, request.POST)
        if _nothing_lacks(form, rows, own, manifest):
            decisions = _decisions(rows, own, request.POST, form.cleaned_data)
            result = accept_services.accept_or_retry(
                rows, decisions, entity=record_type.entity, access=access
            )
            return redirect(scoped_urls.to(access, "request", request_id=result.request_id))
    return _page(request, record_type, rows, form, manifest, connection)


def _own_values(rows: Sequence[Item], posted: QueryDict) -> dict[int, Values]:
    """Item id -> its values: as typed if the row was shown, else as proposed."""
    typed = posted_values(posted)
    return {item.pk: {**item.acceptance, **typed.get(item.pk, {})} for item in rows}


def _nothing_lacks(
    form: CommonValuesForm,
    rows: Sequence[Item],
    own: Mapping[int, Values],
    manifest: EntityManifest,
) -> bool:
    """Whether every new item has a value for each required list field; adds form errors if not."""
    # Updates have no acceptance values: they go by the link.
    creates = [item for item in rows if item.operation == Operation.CREATE]
    for field in manifest.acceptance_fields:
        # Text fields, such as the ID, are checked row by row when accepting.
        if not field.choices or not field.required or form.cleaned_data.get(field.name):
            continue
        lacking = sum(not own[item.pk].get(field.name) for item in creates)
        if lacking:
            verb = "row has" if lacking == 1 else "rows have"
            form.add_error(
                field.name,
                f"{lacking:,} {verb} none of their own. Choose one here, or in the rows.",
            )
    return form.is_valid()


def _decisions(
    rows: Sequence[Item], own: Mapping[int, Values], posted: QueryDict, common: Values
) -> list[Decision]:
    """One decision per item: its own values, and the common ones for fields that are empty."""
    decisions = []
    for item in rows:
        values = own[item.pk]
        shared = {name: value for name, value in common.items() if value and not values.get(name)}
        # As the person saw it: a row that was sent anew since the page was opened is refused. Rows
        # beyond MOST_ROWS_SHOWN were not seen, and are accepted as they are now.
        digest = posted.get(f"{DIGEST}{item.pk}", item.digest)
        decisions.append(Decision(item.pk, digest, {**values, **shared}))
    return decisions


def _page(
    request: ScopedRequest,
    kind: RecordType,
    rows: Sequence[Item],
    form: CommonValuesForm,
    manifest: EntityManifest,
    connection: Connection,
) -> HttpResponse:
    shown_rows = rows[:MOST_ROWS_SHOWN]
    # Details by which the approver tells records with similar names apart.
    facts = kind.told_apart_by(request.access.account.pk, [item.record_id for item in shown_rows])
    context = {
        "kind": kind,
        "form": form,
        "fields": manifest.acceptance_fields,
        "fact_labels": next(iter(facts.values()), {}),
        "choices": Offers(connection, manifest).by_field(),
        # Rendered with what was typed, so that a form with errors loses nothing.
        "rows": [
            _row(item, facts.get(item.record_id, {}), request.access, request.POST, manifest)
            for item in shown_rows
        ],
        "total": len(rows),
        "hidden_rows": rows[MOST_ROWS_SHOWN:],
        "more": max(0, len(rows) - MOST_ROWS_SHOWN),
        "query": request.POST.get("query", ""),
        "cancel_href": back_to(request, kind),
    }
    return render(request, "erp/accept_many.html", context)


def _row(
    item: Item,
    facts: Mapping[str, str],
    access: Access,
    posted: QueryDict,
    manifest: EntityManifest,
) -> dict[str, object]:
    return {
        "item": item,
        # With errors the page is shown again, and keeps what the person had before their eyes.
        "digest": posted.get(f"{DIGEST}{item.pk}", item.digest),
        "url": scoped_urls.to(access, "item", public_id=item.public_id),
        "facts": facts,
        "inputs": [_input(item, field, posted) for field in manifest.acceptance_fields],
    }


def _input(item: Item, field: AcceptanceField, posted: QueryDict) -> dict[str, object]:
    name = f"{VALUE}{item.pk}-{field.name}"
    return {
        "name": name,
        "label": field.label,
        "choices": field.name if field.choices else "",
        "value": posted.get(name, item.acceptance.get(field.name, "")),
    }

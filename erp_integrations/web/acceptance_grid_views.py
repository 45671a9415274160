"""Views of the acceptance grid, for record types that are sent as a list.

Values are saved as they are picked, filled in for many rows, or come from the default rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import AcceptanceDefault, Connection, Item
from erp_integrations.models.record_types import RecordType, counted
from erp_integrations.web import acceptance_grid
from erp_integrations.web.acceptance_grid import posted_values
from erp_integrations.web.forms import DefaultRuleForm
from erp_integrations.web.item_list_views import back_to, chosen_items, kind_of, limited
from erp_integrations.workflow import scoped_urls
from erp_integrations.workflow.accept import default_rules as accept_default_rules
from erp_integrations.workflow.accept import field_values
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.field_choices import Offers
from erp_integrations.workflow.accept.services import Decision
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.db.numbers import number, numbers
from erpbridge.db.text import one_line
from erpbridge.ui.confirmation.bulk_confirm import ask, must_ask


@require_POST
@scoped(Permission.ITEMS_VIEW)
def save_values(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """Save one input when it changes, or the whole page."""
    record_type = kind_of(kind)
    # Viewing the queue needs less than deciding (docs/design/permissions.md, "Who does what").
    require(request.access, Permission.ITEMS_ACCEPT, record_type.entity)
    values = posted_values(request.POST)
    result = field_values.save(values, entity=record_type.entity, access=request.access)
    # An input saves itself and needs only a note beside it, not the page.
    if request.htmx:
        context = {"why": result.why, "meaning": _meaning(record_type, values, request.access)}
        return render(request, "parts/saved.html", context)
    _say(request, result.done, result.why)
    return redirect(back_to(request, record_type))


@require_POST
@scoped(Permission.ITEMS_VIEW)
def fill(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """Fill a column of the whole list, or of one division, with a value or by the default rules."""
    record_type, access, posted = kind_of(kind), request.access, request.POST
    require(access, Permission.ITEMS_ACCEPT, record_type.entity)
    # What was typed in the rows is saved first, so that filling does not lose it.
    typed = field_values.save(posted_values(posted), entity=record_type.entity, access=access)
    _say_refused(request, typed.why)
    value, by_rules = one_line(posted.get("fill_value", "")), posted.get("by") == "rules"
    if not value and not by_rules:
        messages.warning(request, "Nothing was filled: choose a value first.")
        return redirect(back_to(request, record_type))
    query = posted.copy()
    # The list as it is filtered, not only the ticked rows.
    query["all"] = "1"
    items = chosen_items(access, record_type, query)
    division = posted.get("division", "")
    if division:
        items = items.in_division(division)
    if by_rules:
        count, reasons = (
            field_values.apply_defaults(items, entity=record_type.entity, access=access),
            [],
        )
    else:
        result = field_values.fill(
            items,
            posted.get("field", ""),
            value,
            entity=record_type.entity,
            only_empty=bool(posted.get("only_empty")),
            access=access,
        )
        count, reasons = result.done, result.why
    _say(request, count, reasons)
    return redirect(back_to(request, record_type))


@require_POST
@scoped(Permission.ITEMS_VIEW)
def export(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """Accept the ticked rows, or the whole list, with the saved values.

    The whole list, and many rows, need a confirmation.
    """
    record_type, access = kind_of(kind), request.access
    require(access, Permission.ITEMS_ACCEPT, record_type.entity)
    posted = request.POST.copy()
    everything = bool(posted.get("everything"))
    values = posted_values(posted)
    result = field_values.save(values, entity=record_type.entity, access=access)
    # A row whose typed value was refused still has its old value, which is not the one that the
    # person sees. So nothing is exported until it is corrected.
    refusals = _refusals(result, posted, everything=everything)
    if refusals:
        messages.error(request, "Nothing was exported. Fix the errors in the rows first.")
        _say_refused(request, refusals)
        return redirect(back_to(request, record_type))
    if everything:
        posted["all"] = "1"
    rows = limited(request, chosen_items(access, record_type, posted))
    if rows is None:
        return redirect(back_to(request, record_type))
    if must_ask(request, len(rows)) or (everything and not posted.get("confirm")):
        return _ask(request, record_type, rows)
    # The values are in the items already, so the decisions carry none.
    decisions = [Decision(item.pk, item.digest) for item in rows]
    bulk_result = accept_services.accept_or_retry(
        rows, decisions, entity=record_type.entity, access=access
    )
    return redirect(scoped_urls.to(access, "request", request_id=bulk_result.request_id))


def _meaning(kind: RecordType, values: Mapping[int, Mapping[str, str]], access: Access) -> str:
    entered = [pair for item_values in values.values() for pair in item_values.items()]
    # Only an input that saves itself shows the label.
    if len(entered) != 1:
        return ""
    name, value = entered[0]
    return acceptance_grid.meaning(kind, name, one_line(value), account_id=access.account.pk)


def _refusals(result: field_values.Saved, posted: QueryDict, *, everything: bool) -> list[str]:
    """Return why values of the rows to export were refused; other rows do not matter."""
    all_rows = everything or bool(posted.get("all"))
    exported_ids = set(numbers(posted.getlist("ids")))
    reasons = (why for (pk, _name), why in result.refused.items() if all_rows or pk in exported_ids)
    return list(dict.fromkeys(reasons))


def _ask(request: ScopedRequest, kind: RecordType, rows: Sequence[Item]) -> HttpResponse:
    manifest = adapter_loading.usable_manifest(rows[0].connection, kind.entity)
    # A note, no obstacle: rows without a required value are refused by themselves.
    lacking = field_values.missing(rows, manifest) if manifest else 0
    notes = ["Each is exported separately; what the ERP refuses is shown with its reason."]
    if lacking:
        verb = "lacks" if lacking == 1 else "lack"
        notes.append(
            f"{lacking:,} of them {verb} a value that the ERP requires. Those stay here and are "
            "listed; the others are exported."
        )
    return ask(
        request,
        f"Export {counted(kind, len(rows))}?",
        what=notes,
        confirm="Export",
        back=back_to(request, kind),
        keep=("query",),
        ids=[item.pk for item in rows],
    )


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.ITEMS_VIEW)
def default_rules(request: ScopedRequest, kind: str) -> HttpResponseBase:
    """List the default rules of the connection, add one, or remove one."""
    record_type, access = kind_of(kind), request.access
    require(access, Permission.ITEMS_ACCEPT, record_type.entity)
    connection = connection_services.active(access.account.pk, record_type.entity)
    manifest = adapter_loading.usable_manifest(connection, record_type.entity)
    list_url = scoped_urls.to(access, "items", kind=kind)
    if connection is None or manifest is None:
        messages.error(request, "There is no usable ERP connection for these records.")
        return redirect(list_url)
    rules_url = scoped_urls.to(access, "defaults", kind=kind)
    if request.method == "POST" and request.POST.get("remove"):
        _remove_rule(request, connection)
        return redirect(rules_url)
    form = DefaultRuleForm(manifest, request.POST if request.method == "POST" else None)
    if form.is_valid() and _add_rule(request, form, connection, manifest):
        return redirect(rules_url)
    rules = connection.defaults.filter(entity=record_type.entity).order_by(
        "field", "starts_with", "pk"
    )
    fields = {field.name: field for field in manifest.acceptance_fields}
    offers = Offers(connection, manifest)
    context = {
        "kind": record_type,
        "form": form,
        "rules": [
            {
                "rule": rule,
                "label": fields[rule.field].label,
                "meaning": offers.words(rule.field).get(rule.value, ""),
            }
            for rule in rules
            # Rules of a field that the adapter no longer declares are not shown.
            if rule.field in fields
        ],
        "choices": offers.by_field(),
        "back": list_url,
    }
    return render(request, "erp/defaults.html", context)


def _add_rule(
    request: ScopedRequest, form: DefaultRuleForm, connection: Connection, manifest: EntityManifest
) -> bool:
    try:
        accept_default_rules.add(connection, manifest, by=request.user, **form.cleaned_data)
    except ValidationError as error:
        for name, field_errors in error.message_dict.items():
            form.add_error(name if name in form.fields else None, field_errors)
        return False
    messages.success(request, "The rule was added. It fills in what is sent from now on.")
    return True


def _remove_rule(request: ScopedRequest, connection: Connection) -> None:
    """Remove the posted rule.

    :raises Http404: if the connection never had it.
    """
    pk = number(request.POST.get("remove", ""))
    try:
        removed = accept_default_rules.remove(connection, pk, by=request.user)
    except AcceptanceDefault.DoesNotExist:
        raise Http404 from None
    if removed:
        messages.success(request, "The rule was removed. Values that it has filled in stay.")
    else:
        messages.info(request, "The rule was removed already.")


def _say(request: ScopedRequest, count: int, reasons: Sequence[str]) -> None:
    noun = "row was" if count == 1 else "rows were"
    if count or not reasons:
        messages.success(request, f"{count:,} {noun} changed.")
    _say_refused(request, reasons)


def _say_refused(request: ScopedRequest, reasons: Sequence[str]) -> None:
    # Each of thousands of rows may have a reason of its own.
    for message in reasons[:5]:
        messages.error(request, message)

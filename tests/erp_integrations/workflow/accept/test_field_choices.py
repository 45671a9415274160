"""An income column takes income accounts, an expense column expense accounts, on every way in."""

from __future__ import annotations

from html import unescape

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from admin_wbs.models import CodeList
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Choice, Item
from erp_integrations.web.forms import AcceptanceForm
from erp_integrations.workflow.accept import default_rules, field_values
from erp_integrations.workflow.accept.field_choices import Offers
from tests.admin_wbs import steps as codes
from tests.erp_integrations import steps
from tests.rest.fixtures import EVERYTHING, Service, service_of

INCOME, EXPENSE = "4000", "5010"
WRONG = "GL Account – Income: 5010 Direct labor is of the kind “expense account”"


@pytest.fixture
def item(connection, ada, access_of) -> Item:
    """A cost code that waits for accounting."""
    code_list = CodeList.objects.get(connection_id=connection.pk)
    codes.tree(code_list, ada, "01 General")
    codes.send(code_list, access_of(ada))
    return Item.objects.select_related("connection").get()


@pytest.fixture
def manifest(connection):
    return adapter_loading.manifest_of(connection).entities["cost_code"]


def test_each_field_offers_the_accounts_of_its_kind_only(connection, manifest):
    offers = Offers(connection, manifest)
    assert {code[0] for code in offers.of("income_account")} == {"4"}
    assert {code[0] for code in offers.of("expense_account")} == {"5"}
    form = AcceptanceForm(manifest, connection)
    offered = {code for code, _label in form.fields["income_account"].choices}
    assert INCOME in offered
    assert EXPENSE not in offered


def test_an_account_of_the_wrong_kind_is_refused_on_every_way_in(
    connection, manifest, item, account, pat, ada, access_of, client_of
):
    access = access_of(pat)
    client = client_of(pat)

    def page(name: str, data: dict[str, str]) -> str:
        url = reverse(f"erp:{name}", args=[account.pk, "cost-codes"])
        return unescape(client.post(url, data, follow=True).content.decode())

    values = {"income_account": EXPENSE}
    api = service_of(account, ada, "Sync", Service(levels=EVERYTHING, can_push_to_accounting=True))
    base = f"companies/{account.pk}/erp_queue/{item.pk}"
    decision = {"digest": item.digest, "acceptance": values}
    add = {"field": "income_account", "starts_with": "", "value": EXPENSE}
    with pytest.raises(ValidationError) as rule:
        default_rules.add(connection, manifest, by=pat, **add)
    saved = field_values.save({item.pk: values}, entity="cost_code", access=access)
    ways = {
        "accepting": " ".join(steps.reasons(codes.accept([item], access, **values))),
        "saving in the grid": page("values", {f"value-{item.pk}-income_account": EXPENSE}),
        "filling the column": page("fill", {"field": "income_account", "fill_value": EXPENSE}),
        "exporting what is typed": page(
            "export", {"ids": str(item.pk), f"value-{item.pk}-income_account": EXPENSE}
        ),
        "saving": " ".join(saved.why),
        "a default rule": " ".join(rule.value.messages),
        "the page of rules": page(
            "defaults", {"field": "income_account", "starts_with": "", "value": EXPENSE}
        ),
        "saving over REST": str(api.patch(base, {"acceptance": values}).json()),
        "accepting over REST": str(api.post(f"{base}/actions/accept", decision).json()),
    }
    assert [name for name, said in ways.items() if WRONG not in said] == []
    item.refresh_from_db()
    assert (item.state, item.acceptance) == ("ready", {})


def test_over_rest_a_field_names_the_accounts_of_its_kind(item, account, ada):
    api = service_of(account, ada, "Sync", Service(levels=EVERYTHING, can_push_to_accounting=True))
    body = api.get(f"companies/{account.pk}/erp_queue/{item.pk}").json()
    offered = {
        field["name"]: {c["key"][0] for c in field["choices"]}
        for field in body["acceptance_fields"]
    }
    assert offered == {"income_account": {"4"}, "expense_account": {"5"}}


def test_where_the_erp_does_not_tell_the_kind_every_account_is_offered(
    connection, manifest, item, pat, access_of
):
    Choice.objects.filter(kind="gl_account").update(group="")
    assert EXPENSE in Offers(connection, manifest).of("income_account")
    assert codes.accept([item], access_of(pat), income_account=EXPENSE).done == 1


def test_a_refresh_learns_the_kinds(connection, ada):
    Choice.objects.update(group="")
    assert connection_services.refresh(connection, by=ada)
    kinds = dict(Choice.objects.filter(kind="gl_account").values_list("code", "group"))
    assert (kinds[INCOME], kinds[EXPENSE]) == ("income account", "expense account")


def test_the_fill_input_offers_the_accounts_of_the_column_chosen(client_of, pat, account, item):
    url = reverse("erp:items", args=[account.pk, "cost-codes"])
    page = client_of(pat).get(url).content.decode()
    assert 'data-list-of="fill-field"' in page
    assert 'list="choices-income_account"' in page
    income = page.partition('<datalist id="choices-income_account">')[2].partition("</datalist>")[0]
    assert INCOME in income
    assert EXPENSE not in income

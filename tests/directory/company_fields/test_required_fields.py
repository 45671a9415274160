"""The fields that an account requires of its companies: the page where an admin chooses them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from directory.company_fields import required_fields
from directory.models import Company
from erpbridge.audit.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(account) -> str:
    return reverse("directory:settings", args=[account.pk])


def test_an_account_admin_chooses_them_and_the_history_tells(client_of, ada, account, address):
    client = client_of(ada)
    assert address in client.get(reverse("directory:account_companies", args=[account.pk])).text
    assert required_fields.of(account) == []
    client.post(address, {"names": ["trades", "city"]})
    assert required_fields.of(account) == ["city", "trades"]
    assert 'value="city"' in client.get(address).text
    client.post(address, {})
    assert required_fields.of(account) == []
    words = [
        event.data["changes"] for event in Event.objects.about(account.pk, "account", account.pk)
    ]
    assert {"Required fields of companies": ["", "City, Trades"]} in words


def test_nobody_else_sees_the_page(client_of, sam, pat, account, address):
    for person in (sam, pat):
        assert client_of(person).get(address).status_code in {403, 404}
        companies = reverse("directory:account_companies", args=[account.pk])
        assert address not in client_of(person).get(companies).text


@pytest.mark.parametrize("names", [["shoe_size"], ["x" * 5000], ["\x00"], ["name"]])
def test_what_is_no_field_is_refused_on_the_page(client_of, ada, account, address, names):
    answer = client_of(ada).post(address, {"names": names})
    assert (answer.status_code, required_fields.of(account)) == (200, [])


def test_the_form_of_a_company_still_requires_only_its_name(client_of, ada, account, address):
    client = client_of(ada)
    client.post(address, {"names": ["city"]})
    client.post(
        reverse("directory:account_company_create", args=[account.pk]), {"name": "Bay Glass"}
    )
    assert Company.objects.get().name == "Bay Glass"

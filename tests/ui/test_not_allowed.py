"""Opening the address of a button does nothing, and says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from erpbridge.access.models import Account, User
from erpbridge.ui.not_allowed import page_above

SignIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


def test_the_address_of_a_button_leads_back_to_its_page(
    client_of: SignIn, ada: User, account: Account
) -> None:
    accept = reverse("erp:accept_many", args=[account.pk, "companies"])
    answer = client_of(ada).get(accept)
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    page = answer.content.decode()
    assert "This address only works from a button" in page
    assert f'href="{reverse("erp:companies", args=[account.pk])}"' in page


def test_a_step_that_is_no_page_is_skipped(account: Account) -> None:
    act = reverse("erp:connection_act", args=[account.pk, 7])
    assert page_above(act) == reverse("erp:connection", args=[account.pk])
    assert page_above("/logout/") == reverse("home")

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs import lists
from admin_wbs.models import CodeList
from erp_integrations.sendable import Connected
from tests.factories import ConnectionFactory

pytestmark = pytest.mark.django_db


def connected(connection, label="Ledger One", **more):
    values = {"updates": True, "erp_owns": False, **more}
    return Connected(connection.pk, connection.name, label, **values)


def test_the_erp_list_comes_with_the_connection_and_is_named_after_the_erp(account):
    made = lists.connected(connected(ConnectionFactory.create(account=account)), account.pk)
    assert made.name == "Ledger One Standard Cost Codes"
    assert made.is_erp


def test_connecting_again_keeps_the_list(account):
    connection = ConnectionFactory.create(account=account)
    assert lists.connected(connected(connection), account.pk) == lists.connected(
        connected(connection), account.pk
    )


def test_the_list_of_a_second_connection_has_a_name_of_its_own(account):
    first, second = ConnectionFactory.create_batch(2, account=account)
    lists.connected(connected(first), account.pk)
    made = lists.connected(connected(second), account.pk)
    assert made.name == f"Ledger One Standard Cost Codes ({second.name})"


def test_two_lists_cannot_share_a_name(code_list, account, ada):
    with pytest.raises(ValidationError, match="A list of this name exists already"):
        lists.create(account=account, name="RESIDENTIAL", by=ada)


def test_a_list_is_renamed_and_its_setting_changed(code_list, ada):
    lists.change(code_list, values={"name": "Homes", "for_new_projects": False}, by=ada)
    stored = CodeList.objects.get(pk=code_list.pk)
    assert (stored.name, stored.for_new_projects) == ("Homes", False)


def test_a_name_is_required_and_limited(account, ada):
    for name in ("", " ", "x" * 151):
        with pytest.raises(ValidationError):
            lists.create(account=account, name=name, by=ada)

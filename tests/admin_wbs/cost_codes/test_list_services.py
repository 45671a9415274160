from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.models import CodeList
from erp_integrations.sendable import Connected
from erpbridge.audit.models import Event
from tests.admin_wbs import steps
from tests.erp_integrations import steps as erp_steps
from tests.factories import ConnectionFactory

pytestmark = pytest.mark.django_db


def connected(connection, label="Ledger One", **more):
    values = {"updates": True, "erp_owns": False, **more}
    return Connected(connection.pk, connection.name, label, **values)


def test_the_erp_list_comes_with_the_connection_and_is_named_after_the_erp(account):
    made = list_services.connected(connected(ConnectionFactory.create(account=account)), account.pk)
    assert made.name == "Ledger One Standard Cost Codes"
    assert made.is_erp


def test_connecting_again_keeps_the_list(account):
    connection = ConnectionFactory.create(account=account)
    assert list_services.connected(connected(connection), account.pk) == list_services.connected(
        connected(connection), account.pk
    )


def test_the_list_of_a_second_connection_has_a_name_of_its_own(account):
    first, second = ConnectionFactory.create_batch(2, account=account)
    list_services.connected(connected(first), account.pk)
    made = list_services.connected(connected(second), account.pk)
    assert made.name == f"Ledger One Standard Cost Codes ({second.name})"


def test_the_first_connection_adopts_the_list_that_awaits_an_erp(account, ada, code_list):
    list_services.make_erp(code_list, by=ada)
    steps.tree(code_list, ada, "01 General")
    adopted = list_services.connected(
        connected(ConnectionFactory.create(account=account)), account.pk
    )
    assert (adopted, adopted.name, adopted.codes.count()) == (code_list, "Residential", 1)
    assert not adopted.awaits_erp
    assert CodeList.objects.count() == 1
    events = Event.objects.filter(subject_id=code_list.pk).order_by("pk")
    assert [event.verb for event in events if event.entity == list_services.LIST] == [
        "created",
        "became_erp_list",
        "connected",
    ]


def test_codes_made_before_the_erp_was_connected_are_sent_to_it(account, ada, code_list, access_of):
    list_services.make_erp(code_list, by=ada)
    steps.tree(code_list, ada, "01 General", "01-100 Survey")
    erp_steps.connect(account, by=ada)
    code_list.refresh_from_db()
    assert list_services.erp_list(account.pk) == code_list
    assert steps.send(code_list, access_of(ada)).done == 2


def test_without_a_connection_the_erp_list_is_edited_and_the_button_says_why_it_cannot_be_sent(
    account, ada, code_list, access_of
):
    list_services.make_erp(code_list, by=ada)
    code_list.refresh_from_db()
    steps.tree(code_list, ada, "01 General")
    button = send_to_erp.button(code_list, access_of(ada))
    assert button is not None
    assert [reason.message for reason in button.reasons] == [
        "No ERP is connected to this account yet."
    ]


def test_a_list_awaiting_an_erp_beside_a_connected_one_is_only_read(account, ada, code_list):
    own = list_services.create(account=account, name="Of the returning ERP", by=ada)
    returning = erp_steps.connect(account, by=ada)
    CodeList.objects.filter(connection_id=returning.pk).delete()
    CodeList.objects.filter(pk=own.pk).update(connection_id=returning.pk)
    CodeList.objects.filter(pk=code_list.pk).update(awaits_erp=True)
    code_list.refresh_from_db()
    assert list_services.connected(connected(returning), account.pk) == own
    assert list_services.read_only(code_list) == list_services.OTHER_LIST


def test_a_connection_from_before_cost_codes_takes_the_list_at_once(account, ada, code_list):
    connection = erp_steps.connect(account, by=ada)
    CodeList.objects.filter(connection_id=connection.pk).delete()
    list_services.make_erp(code_list, by=ada)
    assert list_services.erp_list(account.pk) == code_list


def test_two_lists_cannot_share_a_name(code_list, account, ada):
    with pytest.raises(ValidationError, match="A list of this name exists already"):
        list_services.create(account=account, name="RESIDENTIAL", by=ada)


def test_a_list_is_renamed_and_its_setting_changed(code_list, ada):
    list_services.change(code_list, values={"name": "Homes", "for_new_projects": False}, by=ada)
    stored = CodeList.objects.get(pk=code_list.pk)
    assert (stored.name, stored.for_new_projects) == ("Homes", False)


def test_a_name_is_required_and_limited(account, ada):
    for name in ("", " ", "x" * 151):
        with pytest.raises(ValidationError):
            list_services.create(account=account, name=name, by=ada)

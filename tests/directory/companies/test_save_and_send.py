"""Sending a company from its edit page, with and without changes."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from directory.models import Company
from erp_integrations import sendable
from erp_integrations.models import Item, Request
from erpbridge.audit.models import Event

LONG_NAME = "Quarry and Sons of the Harbor Incorporated"


@pytest.fixture(params=["project", "account"])
def to(request, account, project, company):
    """Addresses of the company's pages in the project's Directory, and in the account's."""
    place = [account.pk, project.pk] if request.param == "project" else [account.pk]

    def address(page: str) -> str:
        return reverse(f"directory:{request.param}_{page}", args=[*place, company.pk])

    return address


def logos() -> list[str]:
    return default_storage.listdir("logos")[1] if default_storage.exists("logos") else []


def test_what_was_typed_is_saved_and_sent(client_of, ada, connection, company, to):
    typed = {"name": "Quarry & Daughters", "seen": 1, "then": "send"}
    answer = client_of(ada).post(to("company_edit"), typed, follow=True)
    assert "Quarry &amp; Daughters was saved, and was sent to the ERP" in answer.text
    item = Item.objects.get()
    assert (item.payload["name"], item.revision) == ("Quarry & Daughters", 2)


def test_with_nothing_typed_it_is_only_sent(client_of, ada, connection, company, to):
    form = client_of(ada).get(to("company_edit")).context["form"]
    stored = {name: value for name in form.fields if (value := form[name].value())}
    answer = client_of(ada).post(
        to("company_edit"), {**stored, "seen": 1, "then": "send"}, follow=True
    )
    assert "Quarry &amp; Sons, LLC was sent to the ERP" in answer.text
    assert Item.objects.get().revision == Company.objects.get().revision == 1


def test_what_cannot_be_sent_is_not_saved_either(client_of, ada, connection, company, to, picture):
    files, before = logos(), (Company.objects.values().get(), Event.objects.count())
    typed = {"name": LONG_NAME, "seen": 1, "then": "send", "logo": picture()}
    answer = client_of(ada).post(to("company_edit"), typed)
    assert answer.status_code == 409
    assert "Nothing was saved or sent" in answer.text
    assert "30 characters or fewer; it has 42" in answer.text
    assert f'value="{LONG_NAME}"' in answer.text
    assert before == (Company.objects.values().get(), Event.objects.count())
    assert not Request.objects.exists()
    assert not Item.objects.exists()
    assert logos() == files


def test_a_stale_page_sends_nothing(client_of, ada, connection, company, to):
    client_of(ada).post(to("company_edit"), {"name": "Quarry Two", "seen": 1})
    typed = {"name": company.name, "seen": 1, "then": "send"}
    answer = client_of(ada).post(to("company_edit"), typed)
    assert answer.status_code == 409
    assert "Ada Admin changed" in answer.text
    assert not Item.objects.exists()


def test_who_may_edit_but_not_send_is_not_offered_it(client_of, eve, connection, company, to):
    client = client_of(eve)
    assert "Send to ERP" not in client.get(to("company_edit")).text
    answer = client.post(to("company_edit"), {"name": "Mine", "seen": 1, "then": "send"})
    assert answer.status_code == 403
    assert Company.objects.get().name == "Quarry & Sons, LLC"


def test_the_edit_page_has_the_button_twice_with_its_reasons(
    client_of, ada, connection, company, to
):
    Company.objects.update(name=LONG_NAME)
    text = client_of(ada).get(to("company_edit")).text
    assert text.count("Send to ERP is disabled") == 4  # the reasons, and the name of the (?)
    assert text.count("it has 42") == 2
    assert text.count('data-once-changed="company-form" hidden') == 2


def test_no_edit_is_promised_to_help_where_none_can(client_of, ada, account, company, to):
    text = client_of(ada).get(to("company_edit")).text
    assert "No ERP is connected" in text
    assert "Save and send" not in text


def test_enter_in_a_field_saves_and_does_not_send(client_of, ada, connection, company, to):
    """The first submit button of a form is the one that Enter presses."""
    text = client_of(ada).get(to("company_edit")).text
    assert text.index(">Save</button>") < text.index('value="send"')


def test_a_company_that_waits_is_retrieved_on_the_edit_page_and_edited_there(
    client_of, ada, connection, company, to, access_of
):
    done = sendable.send("vendor", [company.pk], access=access_of(ada))
    assert done.done == 1, done.refused
    client = client_of(ada)
    page = client.get(to("company_edit")).text
    assert "Retrieve from ERP" in page
    assert "<textarea" not in page
    posted = {"verb": "retrieve", "seen": 1, "back": "edit"}
    answer = client.post(to("company_send"), posted, follow=True)
    assert answer.redirect_chain[0][0] == to("company_edit")
    assert "Re-send to ERP" in answer.text

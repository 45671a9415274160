"""The commands for those who try the API."""

from __future__ import annotations

import shlex
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from directory.models import Company
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erpbridge.access.models import Account
from tests.factories import CompanyFactory


def run(*arguments: str) -> dict[str, str]:
    out = StringIO()
    call_command("api_client", *arguments, stdout=out)
    return dict(word.split("=", 1) for word in shlex.split(out.getvalue()))


def token(credentials, **grant):
    body = {
        "client_id": credentials["CLIENT_ID"],
        "client_secret": credentials["CLIENT_SECRET"],
        **grant,
    }
    return Client().post("/oauth/token", body).json()["access_token"]


def test_a_fresh_client_works_at_once(db):
    credentials = run()
    for grant in (
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": credentials["REFRESH_TOKEN"]},
    ):
        sent = {
            "Authorization": f"Bearer {token(credentials, **grant)}",
            "Procore-Company-Id": credentials["COMPANY_ID"],
        }
        path = f"/rest/v1.0/projects/{credentials['PROJECT_ID']}/vendors"
        body = {"vendor": {"name": "Bay Glass"}}
        made = Client().post(path, body, content_type="application/json", headers=sent)
        assert made.status_code == 201
    account = Account.objects.get(pk=credentials["COMPANY_ID"])
    assert not Connection.objects.filter(account=account).exists()
    assert account.cost_types.count() == 7
    lists = {
        code_list.name: (code_list.is_erp, code_list.codes.count())
        for code_list in account.code_lists.all()
    }
    assert lists == {"Standard Cost Codes": (False, 6), "ERP Standard Cost Codes": (True, 0)}


def test_a_client_of_an_account_that_is_there(account, project, ada):
    credentials = run("--company", str(account.pk), "--project", str(project.pk))
    assert (credentials["COMPANY_ID"], credentials["PROJECT_ID"]) == (
        str(account.pk),
        str(project.pk),
    )


@pytest.mark.parametrize("arguments", [["--company", "9"], ["--project", "1"]])
def test_what_is_not_there_is_told(db, arguments):
    with pytest.raises(CommandError):
        run(*arguments)


def test_a_vendor_is_sent_and_accepted_by_two_people(account, ada, pat, connected):
    connection_services.test(connected, by=ada)
    connection_services.refresh(connected, by=ada)
    firm = CompanyFactory.create(account=account, name="Quarry Stone")
    call_command("export_vendor", str(firm.pk), stdout=StringIO())
    item = Item.objects.get(record_id=firm.pk)
    assert item.state == State.QUEUED
    assert (item.sent_by, item.decided_by) == (ada, pat)


def test_what_cannot_be_sent_is_told_with_the_reasons(account, ada, pat):
    firm = CompanyFactory.create(account=account)
    with pytest.raises(CommandError, match="ERP"):
        call_command("export_vendor", str(firm.pk))
    with pytest.raises(CommandError, match="no vendor"):
        call_command("export_vendor", str(Company.objects.count() + 10**6))

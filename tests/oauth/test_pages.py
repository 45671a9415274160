"""The pages on which account admins manage programs."""

from __future__ import annotations

import pytest

from erpbridge.access.models import Membership
from erpbridge.oauth import tokens
from erpbridge.oauth.models import Application


@pytest.fixture
def pages(client_of, ada, account):
    client = client_of(ada)
    client.base = f"/accounts/{account.pk}/applications/"
    return client


def service(**more):
    return {
        "name": "Nightly sync",
        "account-directory": "3",
        "account-admin": "0",
        "account-erp_integrations": "0",
        "projects-directory": "0",
        "projects-admin": "0",
        "projects-erp_integrations": "0",
    } | more


def test_a_service_account_is_added_and_its_secret_shown_once(pages):
    page = pages.post(f"{pages.base}add-service/", service(can_push_to_accounting="on"))
    made = Application.objects.get()
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert tokens.digest(secret) == made.secret_digest
    assert secret not in pages.get(f"{pages.base}{made.pk}/").content.decode()
    assert made.service.can_push_to_accounting
    assert "no-store" in page["Cache-Control"]


def test_permitted_projects_get_their_levels(pages, project):
    given = service(projects=[project.pk]) | {"projects-directory": "2"}
    pages.post(f"{pages.base}add-service/", given | {"account-directory": "1"})
    project_access = Application.objects.get().service.projects.get()
    assert (project_access.project, project_access.directory) == (project, 2)


def test_an_application_needs_redirect_uris_that_can_be(pages):
    wrong = pages.post(f"{pages.base}add/", {"name": "X", "redirect_uris": "http://a.example/"})
    assert "must begin with https://" in wrong.content.decode()
    pages.post(f"{pages.base}add/", {"name": "X", "redirect_uris": "https://a.example/\n\n"})
    assert Application.objects.get().redirect_uris == ["https://a.example/"]


def test_a_new_secret_kills_the_old_one(pages):
    pages.post(f"{pages.base}add-service/", service())
    made = Application.objects.get()
    page = pages.post(f"{pages.base}{made.pk}/secret/")
    before, made = made.secret_digest, Application.objects.get()
    assert made.secret_digest == tokens.digest(page.context["secret"]) != before


def test_deleting_asks_first(pages):
    pages.post(f"{pages.base}add-service/", service())
    made = Application.objects.get()
    asked = pages.get(f"{pages.base}{made.pk}/delete/")
    assert "cannot be undone" in asked.content.decode()
    pages.post(f"{pages.base}{made.pk}/delete/")
    assert pages.get(f"{pages.base}{made.pk}/").status_code == 404
    assert not Membership.objects.active().filter(pk=made.service_id).exists()


def test_only_account_admins_manage_programs(client_of, sam, account):
    assert client_of(sam).get(f"/accounts/{account.pk}/applications/").status_code == 403


def test_only_who_may_push_to_accounting_passes_it_on(pages, ada):
    Membership.objects.filter(user=ada).update(can_push_to_accounting=False)
    pages.post(f"{pages.base}add-service/", service(can_push_to_accounting="on"))
    assert not Application.objects.get().service.can_push_to_accounting


def test_ending_all_tokens(pages):
    pages.post(f"{pages.base}add-service/", service())
    made = Application.objects.get()
    given = tokens.issue(made, made.service.user)
    pages.post(f"{pages.base}{made.pk}/revoke/")
    assert tokens.read(given.access) is None
    with pytest.raises(tokens.Refused):
        tokens.renew(made, given.refresh)

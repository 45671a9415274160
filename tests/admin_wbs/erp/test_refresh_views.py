"""The pages of Refresh from ERP: in place of Send, the preview, the second click."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from tests.admin_wbs.books import do_jobs, enter, erp_list, rename, seen, strike_out

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unheard(monkeypatch):
    send = "erpbridge.jobs.wakeups.current_app.send_task"
    monkeypatch.setattr(send, lambda *_args, **_more: None)


@pytest.fixture
def to(account):
    def address(page: str) -> str:
        return reverse(f"admin_wbs:{page}", args=[account.pk, erp_list(account).pk])

    return address


def fingerprint(page: str) -> str:
    match = re.search(r'name="seen" value="(\w+)"', page)
    assert match
    return match[1]


def test_the_list_of_an_erp_that_owns_the_codes_offers_a_refresh_and_says_why(
    owner, client_of, ada, to
):
    page = client_of(ada).get(to("list")).content.decode()
    assert to("refresh") in page
    assert "Simulator owns these cost codes" in page


def test_fetch_look_apply(owner, account, client_of, ada, to):
    client = client_of(ada)
    enter(owner, "01 General", "01-100 Survey", "02 Site")
    page = client.get(to("refresh")).content.decode()
    assert "Fetch the codes" in page
    assert 'name="seen"' not in page, "what an earlier refresh saw is not shown"
    job = client.post(to("refresh"), {"act": "fetch"}).headers["Location"]
    assert "hx-trigger" in client.get(to("refresh")).content.decode()
    do_jobs()
    assert "The ERP has 3 cost codes." in client.get(job).content.decode()
    page = client.get(to("refresh")).content.decode()
    assert "Apply 3 changes" in page
    client.post(to("refresh"), {"act": "apply", "seen": fingerprint(page)})
    assert "hx-trigger" in client.get(to("list")).content.decode()
    do_jobs()
    assert seen(erp_list(account)) == ["01 General", "01-100 Survey", "02 Site"]
    rename(owner, "02", name="Site work")
    strike_out(owner, "01-100")
    enter(owner, "03 Concrete")
    client.post(to("refresh"), {"act": "fetch"})
    do_jobs()
    page = client.get(to("refresh")).content.decode()
    for words in ("Description was “Site”.", "Missing in the ERP", "03", "Apply 3 changes"):
        assert words in page
    only = client.get(to("refresh"), {"show": "missing"}).content.decode()
    assert "01-100" in only
    assert "Concrete" not in only


def test_a_stale_look_is_told_and_nothing_is_applied(owner, account, client_of, ada, to):
    client = client_of(ada)
    enter(owner, "01 General")
    client.post(to("refresh"), {"act": "fetch"})
    do_jobs()
    answer = client.post(to("refresh"), {"act": "apply", "seen": "0" * 64}, follow=True)
    assert "changed, here or in the ERP, since you opened the page" in answer.content.decode()
    do_jobs()
    assert seen(erp_list(account)) == []


def test_a_hundred_rows_are_shown_at_a_time(owner, client_of, ada, to):
    client = client_of(ada)
    enter(owner, *[f"{number:03} Work" for number in range(150)])
    client.post(to("refresh"), {"act": "fetch"})
    do_jobs()
    assert "1 to 100 of 150 codes" in client.get(to("refresh")).content.decode()
    assert "101 to 150 of 150 codes" in client.get(to("refresh"), {"page": 2}).content.decode()


def test_who_only_reads_is_not_offered_it(owner, client_of, sam, to):
    Membership.objects.filter(user=sam).update(admin=Level.READ_ONLY)
    client = client_of(sam)
    assert to("refresh") not in client.get(to("list")).content.decode()
    assert client.get(to("refresh")).status_code == 403


def test_all_projects_are_refreshed_after_a_question_by_account_admins(
    owner, account, project, client_of, ada, sam
):
    address = reverse("admin_wbs:refresh_projects", args=[account.pk])
    assert client_of(sam).post(address).status_code == 403
    client = client_of(ada)
    assert "1 active project used with the ERP gets" in client.get(address).content.decode()
    job = client.post(address).headers["Location"]
    do_jobs()
    assert "1 project refreshed, 0 codes added." in client.get(job).content.decode()

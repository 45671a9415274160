"""A large company's whole list in one go: through the pages, on PostgreSQL, by two workers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.management import demo_codes
from admin_wbs.models import CodeList
from erp_integrations.adapters.simulator.tables import row_number
from erp_integrations.models import Attempt, Connection, Item, Request
from erp_integrations.models.states import State
from tests import programs
from tests.admin_wbs.steps import INCOME
from tests.erp_integrations import steps

pytestmark = [pytest.mark.shared, pytest.mark.django_db(transaction=True)]

# More than one batch of everything; `make bench` exports ten thousand.
COUNT = 3_000
PATIENCE = 600


@pytest.fixture
def workers() -> Iterator[list[programs.Running]]:
    with ExitStack() as stack:
        start = programs.celery_worker
        yield [stack.enter_context(start(database.settings_dict)) for _ in range(2)]


@pytest.fixture
def whole_list(account, ada) -> CodeList:
    """The ERP's list with made codes in five tiers."""
    made = steps.connect(account, by=ada)
    # The demo's limit for items in flight is too small for this test.
    Connection.objects.filter(pk=made.pk).update(max_in_flight=200)
    erp_list = list_services.erp_list(account.pk)
    assert erp_list is not None
    code_services.add_many(erp_list, demo_codes.codes(COUNT), by=ada)
    erp_list.refresh_from_db()
    return erp_list


def follow(client: Client, click: str) -> list[int]:
    """Counts of synced codes that the progress of the page shows, until all are synced."""
    href = f"{click}progress/"
    until = time.monotonic() + PATIENCE
    seen: list[int] = []
    while time.monotonic() < until:
        text = client.get(href).content.decode()
        match = re.search(r"([\d,]+) of [\d,]+ synced", text)
        assert match, text
        seen.append(int(match[1].replace(",", "")))
        assert "failed" not in text
        if "on their way" not in text:
            return seen
        time.sleep(1)
    raise AssertionError(f"not finished after {PATIENCE} s: {seen[-1]} synced")


def test_a_whole_list_arrives_once_each_code_under_its_parent(
    workers, whole_list, account, ada, pat, client_of
):
    assert COUNT <= settings.ERPBRIDGE_MOST_ROWS_A_CLICK
    started, took = time.monotonic(), {}
    adas, pats = client_of(ada), client_of(pat)

    def done(step: str) -> None:
        nonlocal started
        took[step], started = time.monotonic() - started, time.monotonic()

    send = reverse("admin_wbs:list_send", args=[account.pk, whole_list.pk])
    adas.post(send, {"verb": "send", "list_seen": whole_list.revision, "confirm": "1"})
    assert Item.objects.filter(state=State.READY).count() == COUNT
    done("send")

    grid = {name: reverse(f"erp:{name}", args=[account.pk, "cost-codes"]) for name in (
        "fill", "export",
    )}  # fmt: skip
    pats.post(grid["fill"], {"field": "income_account", "fill_value": INCOME})
    done("fill")
    answer = pats.post(grid["export"], {"everything": "1", "confirm": "1"})
    done("accept")
    assert Request.objects.get(verb=Request.Verb.ACCEPT).done == COUNT

    seen = follow(pats, answer["Location"])
    done("export")
    print({step: f"{seconds:.1f} s" for step, seconds in took.items()}, seen)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "nobody could see it move"

    # The ERP has each code once, and under the same parent as the list.
    connection = Connection.objects.get(pk=whole_list.connection_id)
    erp_codes = steps.ledger_of(connection).cost_codes()
    by_number = {erp_code.id: erp_code.values["code"] for erp_code in erp_codes}
    parents = {
        erp_code.values["code"]: by_number.get(row_number(erp_code.values["parent"]), "")
        for erp_code in erp_codes
    }
    assert len(erp_codes) == COUNT
    wanted = whole_list.codes.values_list("full_code", "parent__full_code")
    assert parents == {code: parent or "" for code, parent in wanted}
    assert Attempt.objects.filter(outcome=Attempt.Outcome.APPLIED).count() == COUNT
    assert len(set(Attempt.objects.values_list("worker", flat=True))) >= 2

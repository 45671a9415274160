"""Clicks and exports of many rows ask the database for many rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext

from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.sendable import retrieve, send
from erp_integrations.workflow.accept import services as accept_services
from tests.erp_integrations import steps
from tests.factories import CompanyFactory

FEW, MANY = 20, 220
# SQLite takes about 25 items in one INSERT.
PER_ROW = 0.15


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(db) as asked:
        act()
    return len(asked)


def grows(few: int, many: int) -> float:
    """Statements per additional row."""
    return (many - few) / (MANY - FEW)


@pytest.fixture
def batches(account) -> list[list[int]]:
    return [
        [company.pk for company in CompanyFactory.create_batch(count, account=account)]
        for count in (FEW, MANY)
    ]


def test_sending_retrieving_and_refusing_do_not_ask_per_row(connection, batches, ada, access_of):
    for act in (send, retrieve, retrieve, send, send):
        counts = [
            statements(lambda act=act, ids=ids: act("vendor", ids, access=access_of(ada)))
            for ids in batches
        ]
        assert grows(*counts) < PER_ROW, act


def test_accepting_and_rejecting_do_not_ask_per_row(connection, batches, ada, pat, access_of):
    counts = {"accept": [], "accept again": [], "reject": []}
    for ids in batches:
        send("vendor", ids, access=access_of(ada))
        items = list(Item.objects.filter(record_id__in=ids))
        accept = lambda items=items: steps.decide(items, access_of(pat))  # noqa: E731
        reject = lambda ids=ids: accept_services.reject(  # noqa: E731
            Item.objects.filter(record_id__in=ids),
            entity="vendor",
            reason="",
            access=access_of(pat),
        )
        counts["accept"].append(statements(accept))
        counts["accept again"].append(statements(accept))
        counts["reject"].append(statements(reject))
    assert Item.objects.filter(state=State.QUEUED).count() == FEW + MANY
    assert {
        name: grows(*few_and_many) < PER_ROW for name, few_and_many in counts.items()
    } == dict.fromkeys(counts, True), counts


def test_exporting_asks_per_batch(connection, batches, ada, pat, access_of):
    items = []
    for ids in batches:
        send("vendor", ids, access=access_of(ada))
        items = list(Item.objects.filter(record_id__in=ids))
        assert steps.decide(items, access_of(pat)).refused == ()
    count = statements(lambda: steps.export(connection))
    assert Item.objects.filter(state=State.SYNCED).count() == FEW + MANY
    batches_of_twenty = (FEW + MANY) / 20
    assert count / batches_of_twenty < 50

"""Clicks and exports of many rows ask the database for many rows at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext

from erp_integrations.adapters.base import Outcome
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.export import settle
from erp_integrations.export.claim import claim
from erp_integrations.models import Connection, Item
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.sendable import retrieve, send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.payloads import drafts
from erp_integrations.workflow.payloads.commands import Claim
from erp_integrations.workflow.payloads.digest import digest
from erpbridge.outgoing.uptime import uptime
from tests.erp_integrations import steps
from tests.erp_integrations.dying import TRANSACTION
from tests.factories import CompanyFactory, CostCodeFactory, ItemFactory

FEW, MANY = 20, 220
# SQLite takes about 25 items in one INSERT.
PER_ROW = 0.15


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(db) as asked:
        act()
    return len([query for query in asked if not query["sql"].startswith(TRANSACTION)])


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


def queued(connection: Connection, entity: str, records: list[int], **columns: Any) -> None:
    manifest = manifest_of(connection).entities[entity]
    drafted = drafts.drafts(record_type(entity), connection.account_id, records, manifest)
    for draft in drafted:
        ItemFactory.create(
            account=connection.account,
            connection=connection,
            state=State.QUEUED,
            intent=uuid.uuid4(),
            entity=entity,
            record_id=draft.record_id,
            digest=digest(draft.payload),
            **columns,
        )


def of_a_batch(connection: Connection, size: int) -> dict[str, int]:
    """Statements of each step of the export of one batch, without those of transactions."""
    adapter, manifest = adapter_of(connection), manifest_of(connection)
    counts, started = {}, uptime()
    claims: list[Claim] = []
    counts["claim"] = statements(lambda: claims.extend(claim(connection, manifest)))
    assert len(claims) == size
    refused: list[settle.Answer] = []
    look = partial(steps.look, adapter, manifest, claims, since=started)
    counts["look"] = statements(lambda: refused.extend(look()))
    outcomes = [Outcome(f"ID {claimed.item.pk}", "CODE") for claimed in claims]
    answers = settle.answers_of(claims, outcomes)
    counts["settle"] = statements(lambda: settle.settle(connection, manifest, answers))
    assert refused == []
    assert not connection.items.exclude(state=State.SYNCED).exists()
    return counts


def test_a_batch_of_companies_takes_fourteen_statements_however_many_there_are(connection, account):
    for size in (3, 20):
        companies = CompanyFactory.create_batch(size, account=account)
        queued(connection, "vendor", [company.pk for company in companies])
        assert of_a_batch(connection, size) == {"claim": 4, "look": 1, "settle": 9}


def test_a_batch_of_codes_takes_two_more_for_parents_and_what_was_put_under_it(connection, account):
    parent = CostCodeFactory.create(list__account=account)
    connection.links.create(entity="cost_code", record_id=parent.pk, erp_id="7", erp_code="01")
    for size in (3, 20):
        codes = CostCodeFactory.create_batch(size, list=parent.list, parent=parent)
        queued(connection, "cost_code", [code.pk for code in codes], parent_id=parent.pk, depth=1)
        assert of_a_batch(connection, size) == {"claim": 5, "look": 1, "settle": 10}

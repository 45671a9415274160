"""What the benchmarks work on: accounts with people, companies and a simulator that never waits."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection as db
from django.test import Client
from django.utils import timezone

from bench.measure import clock
from directory.companies import services as company_services
from directory.models import Company
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection, Item
from erp_integrations.sendable import send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, User
from erpbridge.access.policy import Access

PAGES_A_ROUND = 5
VENDOR_TYPE = "SUB"
FIRST = ("Ashford", "Bexley", "Corvin", "Dunmore", "Elstree", "Farrow", "Glenway", "Hartsel")
SECOND = ("Masonry", "Roofing", "Paving", "Glass", "Steel", "Survey", "Framing", "Hauling")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ground:
    """An account: Ada sends, Pat accepts."""

    account: Account
    ada: Access
    pat: Access


def ground() -> Ground:
    """A new account with its two people."""
    account = Account.objects.create(name=f"Benchmark {next(_numbers)}")
    return Ground(account, _person(account, "ada"), _person(account, "pat"))


def _person(account: Account, name: str) -> Access:
    user = User.objects.create_user(f"{name}-{account.pk}@bench.example", name=name.title())
    Membership.objects.create(
        user=user,
        account=account,
        directory=Level.ADMIN,
        can_push_to_accounting=True,
        confirmed_at=timezone.now(),
    )
    access = policy.load(user, account)
    assert access is not None
    return access


def add_companies(place: Ground, count: int) -> list[int]:
    """Invented companies that the simulator would take; their ids."""
    rows = []
    for _ in range(count):
        number = next(_numbers)
        first, second = FIRST[number % 8], SECOND[number // 8 % 8]
        phone = f"410555{number % 10_000:04}"
        rows.append(Company(name=f"{first} {second} {number}", city="Easton", business_phone=phone))
    by = place.ada.user
    return [
        company.pk
        for company in company_services.create_many(
            rows, account=place.account, project=None, by=by
        )
    ]


def connect(
    place: Ground,
    adapter: str = "simulator",
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] = adapter_loading.NO_SECRETS,
    latency_ms: int = 0,
    records_per_call: int = 500,
) -> Connection:
    """A connection in use; without ``config`` a simulator with its own ledger.

    :param latency_ms: of the simulator, as ``records_per_call``.

    :raises RuntimeError: when the ERP cannot be used.
    """
    by = place.ada.user
    ledger = {
        "latency_ms": latency_ms,
        "records_per_call": records_per_call,
        "ledger": f"bench-{uuid.uuid4().hex[:20]}",
    }
    connection = connection_settings.create(
        account=place.account,
        name="ERP",
        adapter=adapter,
        config=ledger if config is None else config,
        secrets=secrets,
        by=by,
    )
    connection_services.activate(connection, by=by)
    if not (
        connection_services.test(connection, by=by)
        and connection_services.refresh(connection, by=by)
    ):
        raise RuntimeError(f"{connection.test_result} {connection.refresh_problem}")
    return connection


def send_all(place: Ground, ids: list[int], *, vendor_type: str = VENDOR_TYPE) -> list[Decision]:
    """Send companies; what an approver is then shown, as decisions to accept.

    :raises RuntimeError: when not every company was sent.
    """
    result = send("vendor", ids, access=place.ada)
    items = list(Item.objects.filter(sent_in=result.request_id).order_by("pk"))
    if len(items) != len(ids):
        raise RuntimeError(f"Sent {len(items)} of {len(ids)}: {result.refused[:3]}")
    accept_services.proposals_for(items)
    return [
        Decision(item.pk, item.digest, {**item.acceptance, "vendor_type": vendor_type})
        for item in items
    ]


def send_and_accept(place: Ground, ids: list[int], *, vendor_type: str = VENDOR_TYPE) -> list[int]:
    """What two clicks do, as the pages do it; the ids of the accepted items.

    :raises RuntimeError: when not every company was sent and accepted.
    """
    return accept(place, send_all(place, ids, vendor_type=vendor_type))


def accept(place: Ground, decisions: list[Decision]) -> list[int]:
    """The click on Accept; the ids of the accepted items.

    :raises RuntimeError: when not every one was accepted.
    """
    result = accept_services.accept(decisions, entity="vendor", access=place.pat)
    if result.done != len(decisions):
        raise RuntimeError(f"Accepted {result.done} of {len(decisions)}: {result.refused[:3]}")
    return [decision.item_id for decision in decisions]


def analyze() -> None:
    """Give the database's planner what a running installation's would know."""
    with db.cursor() as cursor:
        cursor.execute("ANALYZE")


def page_seconds(access: Access, address: str) -> float:
    """Seconds of one page, out of several asked for.

    :raises RuntimeError: when it is not shown.
    """
    client = Client(SERVER_NAME="localhost")
    client.force_login(access.user, backend="django.contrib.auth.backends.ModelBackend")

    def ask() -> None:
        if client.get(address).status_code != 200:
            raise RuntimeError(f"{address} is not shown.")

    def ask_often() -> None:
        for _ in range(PAGES_A_ROUND):
            ask()

    ask()
    return clock(ask_often) / PAGES_A_ROUND

"""The data of one run of the campaign: an account with accepted items, and waiting for them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import connections as databases

from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import MOVING, State
from erp_integrations.sendable import Done, Refusal, send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.links import connection_identity
from erpbridge.access import policy
from erpbridge.access.models import Account, User
from erpbridge.access.policy import Access
from tests.factories import AccountFactory, MembershipFactory, UserFactory
from tests.faults.campaign.erps import Erp
from tests.faults.campaign.records import Records


@dataclass
class Scene:
    """The items of one run, and where they are exported to.

    ``other`` is a second ERP, which the connection must not reach while an item is open.
    ``refused`` are the items that accounting could not accept; ``twins`` the keys that two items
    have.
    """

    connection: Connection
    erp: Erp
    records: Records
    person: User
    count: int
    # The number of different ERP keys.
    keys: int
    other: Erp | None = None
    asked_for_another: int = 0
    refused: list[Refusal] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    # How often a person tried to unlink something.
    unlinks: int = 0

    def turned_away_from(self, other: Erp) -> bool:
        """Try to switch the connection to another ERP; returns whether that was refused."""
        self.asked_for_another += 1
        connection = Connection.objects.get(pk=self.connection.pk)
        options = {"config": other.config, "secrets": other.secrets, "by": self.person}
        try:
            connection_identity.lead_elsewhere(
                connection, books=connection_identity.Books.SAME, **options
            )
        except ValidationError:
            return True
        return False

    def copies(self) -> Counter[str]:
        """How many records all ERPs have of each key."""
        erps = [self.erp, *([self.other] if self.other else [])]
        counts = [erp.copies(self.records.entity, self.connection) for erp in erps]
        return sum(counts, Counter())

    def items(self) -> list[Item]:
        """All items, as they are now."""
        return list(Item.objects.filter(connection=self.connection))

    def left(self) -> int:
        """The number of items that are still moving."""
        return Item.objects.filter(connection=self.connection, state__in=sorted(MOVING)).count()

    def synced(self) -> int:
        """The number of items that are synced."""
        return Item.objects.filter(connection=self.connection, state=State.SYNCED).count()


def set_up(erp: Erp, records: Records, count: int, *, in_pairs: bool = False) -> Scene:
    """An account with ``count`` records, all sent and accepted, without a worker yet.

    :param in_pairs: two of them for each ERP key, accepted by two people at the same moment.
    """
    account = AccountFactory.create()
    people = UserFactory.create_batch(3)
    for user in people:
        MembershipFactory.create(
            user=user, account=account, account_admin=True, can_push_to_accounting=True
        )
    connection = connect(erp, account, by=people[0])
    sender, *approvers = [policy.load(user, account) for user in people]
    numbers = [number // 2 if in_pairs else number for number in range(count)]
    scene = Scene(connection, erp, records, people[1], count, len(set(numbers)))
    ids = [record.pk for record in records.make(account, numbers)]
    # Two items of one key in one click would be refused; one after the other they are neighbors.
    for batch in [[pk] for pk in ids] if in_pairs else [ids]:
        assert send(records.entity, batch, access=sender).refused == ()
    items = list(Item.objects.filter(connection=connection).order_by("pk"))
    if in_pairs:
        # Paused until there is a worker for each of two.
        connection_services.pause(
            connection, by=people[0], reason="Not before two workers are there"
        )
        accept_in_pairs(scene, items, approvers)
    else:
        decisions = [records.decision(item) for item in items]
        result = accept_services.accept(decisions, entity=records.entity, access=approvers[0])
        assert result.done == count, result.refused[:3]
    return scene


def connect(erp: Erp, account: Account, *, by: User) -> Connection:
    """A connection in use."""
    connection = connection_settings.create(
        account=account,
        name="ERP",
        adapter=erp.adapter,
        config=erp.config,
        secrets=erp.secrets,
        by=by,
    )
    connection_services.activate(connection, by=by)
    assert connection_services.test(connection, by=by), connection.test_result
    assert connection_services.refresh(connection, by=by), connection.refresh_problem
    return connection


def accept_in_pairs(scene: Scene, items: Sequence[Item], approvers: Sequence[Access]) -> None:
    """Accept every two neighbors at the same moment, each by its own approver."""
    start = threading.Barrier(2)

    def accept(item: Item, access: Access) -> Done:
        try:
            start.wait()
            decisions = [scene.records.decision(item)]
            return accept_services.accept(decisions, entity=scene.records.entity, access=access)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(2) as clickers:
        for place in range(0, len(items), 2):
            results = list(clickers.map(accept, items[place : place + 2], approvers))
            scene.refused += [refusal for result in results for refusal in result.refused]
    keys = [item.erp_key for item in scene.items() if item.state != State.READY]
    scene.twins = sorted({key for key in keys if keys.count(key) > 1})


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until the condition holds, or the time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


def wait_for_progress(scene: Scene, share: float, seconds: float = 60) -> None:
    """Wait until this share of the items is synced."""
    wait_until(lambda: scene.synced() >= share * scene.count, seconds)

"""What one run of the campaign needs: an account, accepted items, workers that are brought back."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from erp_integrations import connections
from erp_integrations.models import Connection, Item
from erp_integrations.states import MOVING, State
from erpbridge.access import policy
from tests.erp_integrations import steps
from tests.factories import AccountFactory, CompanyFactory, MembershipFactory, UserFactory
from tests.faults.erps import Erp
from tests.processes import ROOT, environment

DEATHS = 5


@dataclass
class Scene:
    """The items of one run, and where they are exported to."""

    connection: Connection
    erp: Erp
    keys: set[str]

    def left(self) -> int:
        """Items that still move."""
        return Item.objects.filter(connection=self.connection, state__in=sorted(MOVING)).count()


def set_up(erp: Erp, count: int) -> Scene:
    """An account with ``count`` companies, all sent and accepted, and nobody exporting yet."""
    account = AccountFactory.create()
    sender, approver = UserFactory.create_batch(2)
    for user in (sender, approver):
        MembershipFactory.create(
            user=user, account=account, account_admin=True, can_push_to_accounting=True
        )
    connection = connections.create(
        account=account,
        name="ERP",
        adapter=erp.adapter,
        config=erp.config,
        secrets=erp.secrets,
        by=sender,
    )
    connections.activate(connection, by=sender)
    assert connections.test(connection, by=sender), connection.test_result
    assert connections.refresh(connection, by=sender), connection.refresh_problem
    access = {user: policy.load(user, account) for user in (sender, approver)}
    companies = CompanyFactory.create_batch(count, account=account)
    items = steps.send_all(companies, access[sender])
    done = steps.decide(items, access[approver], vendor_type=erp.vendor_type)
    assert done.done == count, done.refused[:3]
    keys = Item.objects.filter(connection=connection).values_list("erp_key", flat=True)
    return Scene(connection, erp, set(keys))


@dataclass
class Workers:
    """Worker processes; one that dies is started again, as a supervisor would."""

    commands: Sequence[Sequence[str]]
    env: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    deaths: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start them all, and somebody who looks after them."""
        self.processes = [self._spawn(command) for command in self.commands]
        self._nurse = threading.Thread(target=self._look_after, daemon=True)
        self._nurse.start()

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _look_after(self) -> None:
        while not self._stopping.wait(0.3):
            for place, process in enumerate(self.processes):
                if process.poll() is not None:
                    self.deaths += 1
                    self.processes[place] = self._spawn(self.commands[place])

    def signal(self, what: signal.Signals) -> None:
        """Send a signal to all of them."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(what)

    def stop(self) -> None:
        """End them, for good."""
        self._stopping.set()
        self._nurse.join()
        self.signal(signal.SIGCONT)
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def workers(count: int = 2, *, faketime: str = "", **env: str) -> Iterator[Workers]:
    """``count`` workers on the run's own PostgreSQL and Redis; the first under ``faketime``."""
    with tempfile.TemporaryDirectory(prefix="erpbridge-deaths-") as allowed:
        for number in range(DEATHS):
            (Path(allowed) / str(number)).touch()
        command = [sys.executable, "-m", "tests.faults.worker"]
        commands: list[Sequence[str]] = [command] * count
        if faketime:
            commands[0] = ["faketime", "-f", faketime, *command]
        found = Workers(commands, environment(FAULT_LEFT=allowed, **env))
        found.start()
        try:
            yield found
        finally:
            found.stop()


def wait_until_settled(scene: Scene, seconds: float) -> float:
    """How long it took until nothing moved any more, at most ``seconds``."""
    began = time.monotonic()
    while scene.left() and time.monotonic() - began < seconds:
        time.sleep(0.5)
    return time.monotonic() - began


def wait_for_progress(scene: Scene, share: float, seconds: float = 60) -> None:
    """Until that share of the items has arrived."""
    until = time.monotonic() + seconds
    synced = Item.objects.filter(connection=scene.connection, state=State.SYNCED)
    while synced.count() < share * len(scene.keys) and time.monotonic() < until:
        time.sleep(0.2)

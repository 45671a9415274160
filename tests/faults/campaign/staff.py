"""The processes of a run, and a supervisor that starts the dead ones again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from erp_integrations.adapters.base import Delivery
from tests.faults.campaign.faulty import DEATH
from tests.faults.campaign.scene import Scene
from tests.faults.campaign.servers import FILES_KEEP_THEIR_TIMES
from tests.faults.campaign.trouble import make_trouble
from tests.programs import ROOT, environment
from tests.servers import free_port

DEATHS = 5
# Characters.
LAST_WORDS = 4_000


@dataclass
class Staff:
    """Processes; one that dies is started again, as a supervisor would."""

    commands: Sequence[Sequence[str]]
    env: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    deaths: int = 0
    # A folder with one file per fault that has not struck yet, and the output of the processes.
    allowed: Path = Path()
    last_words: str = ""
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def said(self) -> Path:
        """The file with the output of the processes."""
        return self.allowed / "said"

    def start(self) -> None:
        """Start all processes, and a thread that supervises them."""
        self.processes = [self._spawn(command) for command in self.commands]
        self._nurse = threading.Thread(target=self._look_after, daemon=True)
        self._nurse.start()

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.said.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _look_after(self) -> None:
        while not self._stopping.wait(0.3):
            for place, process in enumerate(self.processes):
                if process.poll() is not None:
                    self.deaths += 1
                    self.processes[place] = self._spawn(self.commands[place])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of them and their children, since faketime starts the program."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def struck(self) -> int:
        """How many of the allowed faults have struck."""
        return DEATHS - len(list(self.allowed.glob(f"{DEATH}.*")))

    def frozen(self) -> list[subprocess.Popen[bytes]]:
        """The processes that have stopped themselves."""
        return [
            process
            for process in self.processes
            if process.poll() is None
            and psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
        ]

    def stop(self) -> None:
        """End all processes."""
        self._stopping.set()
        self._nurse.join()
        self.signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.last_words = self.said.read_text(errors="replace")[-LAST_WORDS:]


@contextmanager
def staff(
    scene: Scene, roles: Mapping[Delivery, Sequence[str]], *, faketime: str = "", **env: str
) -> Iterator[Staff]:
    """The processes of the delivery, on the run's own servers; the first under ``faketime``."""
    commands = [
        [sys.executable, "-m", "tests.faults.campaign.worker", role]
        for role in roles[scene.erp.delivery]
    ]
    if faketime:
        commands[0] = ["faketime", "-f", faketime, *commands[0]]
    with tempfile.TemporaryDirectory(prefix="erpbridge-deaths-") as allowed:
        make_trouble(Path(allowed), DEATH, DEATHS)
        settings = {
            **FILES_KEEP_THEIR_TIMES,
            "FAULT_LEFT": allowed,
            "FAULT_PORT": str(free_port()),
            "FAULT_CONNECTION": str(scene.connection.pk),
            "FAULT_PERSON": str(scene.person.pk),
        }
        running = Staff(commands, environment(**{**settings, **env}), allowed=Path(allowed))
        running.start()
        try:
            yield running
        finally:
            running.stop()

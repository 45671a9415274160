"""The conformance kit, run on the simulator for vendors and codes in each of its deliveries."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from erp_integrations.adapters.base import Command, InboundCall, Io, Operation
from erp_integrations.adapters.conformance import AdapterConformance, Harness, cannot
from erp_integrations.adapters.conformance.delivery import Transport
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.agent import Agent, NotAnswered, Post
from erp_integrations.adapters.simulator.files import import_into
from erp_integrations.adapters.simulator.tables import TABLES

PASSWORD = "correct-horse-battery"


class SimulatorHarness(Harness):
    """A ledger of its own, broken by its settings."""

    change_column = "city"

    def __init__(self, folder: Path, **config: Any) -> None:
        super().__init__(folder)
        self.config = {"latency_ms": 0, **config}
        self.clock = time.time

    def adapter(self) -> SimulatorAdapter:
        io = Io(self.folder, self.clock, logging.getLogger("simulator"))
        return SimulatorAdapter(self.config, {"password": PASSWORD}, io)

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        key = f"KEY-{number}"
        return Command(
            intent=f"intent-{number}",
            entity="vendor",
            operation=Operation.CREATE,
            key=key,
            payload={"name": f"Firm {number}", "zip": "21601", **payload},
            acceptance={"vendor_type": "SUB", "vendor_id": key},
        )

    def holdings(self) -> Sequence[Mapping[str, Any]]:
        key = TABLES[self.entity].key
        return [
            {"erp_id": str(row["id"]), "key": row[key], **row}
            for row in self.sql(f"SELECT * FROM {self.entity}")
        ]

    def sql(self, statement: str) -> list[dict[str, Any]]:
        with self.adapter().ledger.connection() as db:
            return [dict(row) for row in db.execute(statement).fetchall()]

    def plant(self, command: Command, **payload: Any) -> None:
        vendor = {"vendor_id": command.key, "vendor_name": payload["name"], "vendor_type": "OTH"}
        self.by_hand(vendor)

    def by_hand(self, values: Mapping[str, str]) -> None:
        message = json.dumps({"operation": "create", self.entity: values})
        self.adapter().ledger.post("by hand", message)

    def plant_twins(self, command: Command) -> None:
        cannot("The ledger's IDs and codes are unique by a constraint of its database.")

    def change(self, erp_id: str) -> None:
        with self.adapter().ledger.transaction() as db:
            column = self.change_column
            db.execute(f"UPDATE {self.entity} SET {column} = 'Elsewhere', version = version + 1")

    def delete(self, erp_id: str) -> None:
        with self.adapter().ledger.transaction() as db:
            db.execute(f"DELETE FROM {self.entity} WHERE id = ?", (erp_id,))

    def received(self) -> Mapping[str, Any]:
        last = self.adapter().ledger.effects()[-1]
        return json.loads(last.message)[self.entity]

    def settle(self) -> None:
        self.adapter().ledger.work(at_once=True)

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        self.config["fault"] = kind
        yield
        self.config["fault"] = "none"

    def address(self):
        cannot("The ledger is a file of this machine.")

    def losing_answers(self):
        return self.fault("timeout_after")

    def refusing_login(self):
        return self.fault("login")

    @contextmanager
    def throttling(self) -> Iterator[float | None]:
        with self.fault("throttle"):
            yield 2.0

    def answering_garbage(self):
        return self.fault("garbage")

    def failing_at_questions(self):
        cannot("The ledger is a file of this machine: no server stands between.")

    def failing_at_writes(self):
        """The ledger's unreadable answer is that of a server: 502 Bad Gateway."""
        return self.fault("garbage")

    def applying_late(self):
        return self.fault("late")

    @contextmanager
    def being_slow(self) -> Iterator[None]:
        """By a clock that advances half a minute with every reading."""
        looks = iter(range(1_000))
        self.clock = lambda: time.time() + 30 * next(looks)
        yield
        self.clock = time.time

    def secrets(self) -> Sequence[str]:
        return [PASSWORD]


class QueuedHarness(SimulatorHarness):
    """The ledger works through its queue when the kit lets it settle."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, delivery="queued")


class PolledHarness(SimulatorHarness):
    """The ledger's agent asks; it can lose the connection, use a wrong password or send garbage."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, delivery="polled")
        self.trouble = ""
        self.taken: list[tuple[Agent, dict[str, Any]]] = []

    def ask(self, transport: Transport) -> None:
        password = "wrong" if self.trouble == "login" else PASSWORD
        answers = self.answering(transport)
        agent = Agent(self.adapter().ledger, password, answers)
        with suppress(NotAnswered):
            if self.trouble == "late":
                self.taken.append((agent, agent.ask({"take": 20})))
            else:
                agent.run()

    def answering(self, transport: Transport) -> Post:
        calls = iter(range(1_000))

        def post(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
            second = next(calls) > 0
            if second and self.trouble == "lose":
                raise NotAnswered("The line is dead.")
            said = b"<html>Bad Gateway" if second and self.trouble == "garbage" else body
            answer = transport(InboundCall("POST", "", headers, said))
            return answer.status, answer.body

        return post

    def settle(self) -> None:
        while self.taken:
            agent, asked = self.taken.pop()
            agent.work(asked)

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        self.trouble = {"timeout_after": "lose"}.get(kind, kind)
        yield
        self.trouble = ""

    def throttling(self):
        cannot("It asks when it wants to, and takes as much as it wants to.")

    def failing_at_writes(self):
        cannot("It asks us: no command is written to a server.")

    def being_slow(self):
        cannot("It asks us; we do not wait for it.")


class FileHarness(SimulatorHarness):
    """A person imports the file at some time, and may bring the result back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, delivery="file")
        self.trouble = ""
        self.lying_about: list[bytes] = []

    def import_file(self, name: str, content: bytes) -> bytes | None:
        if self.trouble == "late":
            self.lying_about.append(content)
            return None
        result = import_into(self.adapter().ledger, content)
        return {"timeout_after": None, "garbage": b"<html>Bad Gateway"}.get(self.trouble, result)

    def settle(self) -> None:
        while self.lying_about:
            import_into(self.adapter().ledger, self.lying_about.pop())

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        self.trouble = kind
        yield
        self.trouble = ""

    def refusing_login(self):
        cannot("Nobody signs in: a person carries the file.")

    def throttling(self):
        cannot("A person carries the file.")

    def failing_at_writes(self):
        cannot("A person carries the file.")

    def being_slow(self):
        cannot("A person carries the file.")


class CodesHarness(SimulatorHarness):
    """The ledger's cost codes instead of its vendors; put before the harness of a delivery."""

    entity = "cost_code"
    text_field = "description"
    digits_field = "full_code"
    change_column = "name"

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        code = str(payload.get("full_code", f"KEY-{number}"))
        values = {"full_code": code, "description": f"Work {number}", "is_group": False}
        return Command(
            intent=f"intent-{number}",
            entity=self.entity,
            operation=Operation.CREATE,
            key=code,
            payload={**values, "path": [code], **payload},
            acceptance={"income_account": "4000", "expense_account": "5000"},
        )

    def plant(self, command: Command, **payload: Any) -> None:
        code = {"code": command.key, "name": payload["description"], "kind": "detail"}
        self.by_hand({**code, "income_account": "4900"})


class QueuedCodesHarness(CodesHarness, QueuedHarness):
    """Codes through the queue."""


class PolledCodesHarness(CodesHarness, PolledHarness):
    """Codes that the agent asks for."""


class FileCodesHarness(CodesHarness, FileHarness):
    """Codes in a file."""


class TestSimulator(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return SimulatorHarness(folder)


class TestQueuedSimulator(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return QueuedHarness(folder)


class TestPolledSimulator(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return PolledHarness(folder)


class TestFileSimulator(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return FileHarness(folder)


class TestSimulatorCodes(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return CodesHarness(folder)


class TestQueuedSimulatorCodes(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return QueuedCodesHarness(folder)


class TestPolledSimulatorCodes(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return PolledCodesHarness(folder)


class TestFileSimulatorCodes(AdapterConformance):
    def make_harness(self, folder: Path) -> Harness:
        return FileCodesHarness(folder)

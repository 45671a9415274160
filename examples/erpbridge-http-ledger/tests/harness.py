"""The ledger's server with faults, and the harness that the conformance kit runs on it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from erp_integrations.adapters.base import Command, Io, Operation
from erp_integrations.adapters.conformance import Harness

from erpbridge_http_ledger import HttpLedgerAdapter, api
from erpbridge_http_ledger.server import Handler, LedgerServer

KEY = "correct-horse-battery"
# Seconds after which the adapter gives up a call of a slow server.
PATIENCE = 0.5


class FaultyHandler(Handler):
    """Does what the server's ``fault`` says: one of the functions at the end of this class."""

    server: FaultyServer

    def respond(self, step):
        with self.server.counted():
            if step == self.write:
                self.server.received.append(self.body)
            with suppress(ConnectionError):
                getattr(self, self.server.fault)(step)

    def log_message(self, *_values):
        """Nothing: the kit looks through all logs for secrets."""

    def none(self, step):
        super().respond(step)

    def losing(self, step):
        """Carry it out, and say nothing."""
        if step == self.write:
            self.send = lambda *_answer: None
        super().respond(step)

    def holding(self, step):
        """Carry out a write when the test lets the server go on; its caller has left by then."""
        if step == self.write:
            self.server.go_on.wait(30)
        super().respond(step)

    def garbage(self, _step):
        """A page that repeats the request, as a proxy in trouble may."""
        self.page(200, f"<html>It works! {self.headers}</html>")

    def failing_to_read(self, step):
        """An error of the server's own, for everything that reads."""
        if step == self.write:
            super().respond(step)
        else:
            self.page(500, "<html>Internal Server Error</html>")

    def failing_to_write(self, step):
        """A write is carried out, and then the server fails."""
        if step == self.write:
            self.send = lambda *_answer: None
            super().respond(step)
            self.page(500, "<html>Internal Server Error</html>")
        else:
            super().respond(step)

    def page(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())


class FaultyServer(LedgerServer):
    """A ledger on a free port that can be broken while it runs."""

    def __init__(self):
        super().__init__(0, KEY, per_minute=10_000)
        self.RequestHandlerClass = FaultyHandler
        self.fault = "none"
        self.received = []
        self.go_on = threading.Event()
        self.open = 0
        self.changed = threading.Condition()

    @contextmanager
    def counted(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, by):
        with self.changed:
            self.open += by
            self.changed.notify_all()

    def settle(self):
        """Let it finish everything that it has received."""
        self.go_on.set()
        with self.changed:
            assert self.changed.wait_for(lambda: self.open == 0, timeout=30)


class HttpHarness(Harness):
    """Each test has its own server."""

    def __init__(self, folder):
        super().__init__(folder)
        self.server = FaultyServer()
        self.ledger = self.server.ledger
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    def close(self):
        self.server.settle()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def address(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def adapter(self):
        return self.adapter_at(self.address())

    def adapter_at(self, address):
        logger = logging.getLogger("http-ledger")
        # Only public hosts may be called, and those that the operator allows.
        io = Io(self.folder, time.time, logger, allowed_hosts=("127.0.0.1",))
        return HttpLedgerAdapter({"url": address}, {"key": KEY}, io)

    def command(self, number=1, /, **payload):
        return Command(
            intent=f"intent-{number}",
            entity="vendor",
            operation=Operation.CREATE,
            key=f"KEY-{number}",
            payload={"name": f"Firm {number}", "zip": "21601", "is_active": True, **payload},
            acceptance={
                "code": f"KEY-{number}",
                "vendor_type": "SUB",
                "payable_account": "2000",
            },
        )

    def holdings(self):
        with self.ledger.lock:
            return [
                {**row, "erp_id": str(row["id"]), "key": row["code"]}
                for row in self.ledger.vendors.values()
            ]

    def plant(self, command, **payload):
        self.ledger.enter(code=command.key, name=payload.get("name", "By hand"), type="SUP")

    def plant_twins(self, command):
        """On its own screens a user of the ledger may take a code twice."""
        self.plant(command)
        self.plant(command)

    def change(self, erp_id):
        self.ledger.edit(int(erp_id), city="Elsewhere")

    def delete(self, erp_id):
        self.ledger.delete(int(erp_id))

    def received(self):
        return json.loads(self.server.received[-1])["rows"][-1]["vendor"]

    def settle(self):
        self.server.settle()

    # --- failures ---------------------------------------------------------------------------

    @contextmanager
    def fault(self, name):
        self.server.go_on.clear()
        self.server.fault = name
        yield
        self.server.fault = "none"

    def losing_answers(self):
        return self.fault("losing")

    def answering_garbage(self):
        return self.fault("garbage")

    def failing_at_questions(self):
        return self.fault("failing_to_read")

    def failing_at_writes(self):
        return self.fault("failing_to_write")

    @contextmanager
    def refusing_login(self):
        """The ledger's administrator takes the key back."""
        self.server.key = "another"
        yield
        self.server.key = KEY

    @contextmanager
    def throttling(self):
        """The ledger takes no more writes for a minute."""
        before, self.server.per_minute = self.server.per_minute, 0
        self.server.writes.clear()
        yield 60
        self.server.per_minute = before

    @contextmanager
    def being_slow(self):
        with pytest.MonkeyPatch.context() as patch, self.fault("holding"):
            patch.setattr(api, "CALL_SECONDS", PATIENCE)
            yield

    def applying_late(self):
        return self.being_slow()

    def secrets(self):
        return [KEY]

"""The conformance kit of erpbridge, run on the CSV ledger."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager

from erp_integrations.adapters.base import Command, Io, Operation
from erp_integrations.adapters.conformance import AdapterConformance, Harness, cannot

from erpbridge_csv_ledger import CsvLedgerAdapter


class CsvHarness(Harness):
    """Each test has its own file."""

    def adapter(self):
        io = Io(self.folder, time.time, logging.getLogger("csv-ledger"))
        return CsvLedgerAdapter({"patience": 2}, {}, io)

    def command(self, number=1, /, **payload):
        return Command(
            intent=f"intent-{number}",
            entity="vendor",
            operation=Operation.CREATE,
            key=f"KEY-{number}",
            payload={"name": f"Firm {number}", "zip": "21601", **payload},
            acceptance={"code": f"KEY-{number}"},
        )

    @property
    def ledger(self):
        return self.adapter().ledger

    def holdings(self):
        return [{"erp_id": row["number"], "key": row["code"], **row} for row in self.ledger.rows()]

    def plant(self, command, **payload):
        with self.ledger.writing() as rows:
            number = str(len(rows) + 1)
            row = {"number": number, "version": "1", "street": "", "zip": ""}
            rows.append({**row, "code": command.key, "name": payload.get("name", "By hand")})

    def plant_twins(self, command):
        self.plant(command)
        self.plant(command)

    def change(self, erp_id):
        with self.ledger.writing() as rows:
            for row in rows:
                row |= {"street": "Elsewhere", "version": str(int(row["version"]) + 1)}

    def received(self):
        row = self.ledger.rows()[-1]
        return {name: row[name] for name in ("code", "name", "street", "zip")}

    @contextmanager
    def answering_garbage(self):
        """The file is replaced by a web page."""
        path = self.ledger.path
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(b"<html>\xff</html>")
        yield
        path.write_bytes(before) if before is not None else path.unlink()

    @contextmanager
    def being_slow(self):
        """Another process has locked the file."""
        self.ledger.lock.touch()
        yield
        self.ledger.lock.unlink()

    def losing_answers(self):
        cannot("There is no line to lose an answer on: the file is there when submit() returns.")

    def address(self):
        cannot("The ledger is a file of this machine.")

    def refusing_login(self):
        cannot("A file has no login.")

    def throttling(self):
        cannot("A file does not ask for patience.")

    def failing_at_questions(self):
        cannot("No server stands between: a file that cannot be read is garbage.")

    def failing_at_writes(self):
        cannot("No server stands between that could fail.")

    def applying_late(self):
        cannot("The file is replaced before submit() returns, or not at all.")

    def secrets(self):
        cannot("The adapter is given none.")


class TestCsvLedger(AdapterConformance):
    def make_harness(self, folder):
        return CsvHarness(folder)

"""The conformance kit, run on a real Tryton: for vendors, and for standard cost codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests

from erp_integrations.adapters.base import Command
from erp_integrations.adapters.conformance import AdapterConformance, Harness, cannot
from erp_integrations.adapters.tryton import TrytonAdapter, rest
from tests.adapters.tryton.conftest import adapter_for, cost_code, vendor
from tests.tryton import Erp, Server
from tests.tryton_proxy import Faults, proxy, response

# One database for all cases: each has keys of its own, and reads only what is new since it began.
CASES = count(1)
SERVER_ERROR = response("500 Internal Server Error", b"<html>Internal Server Error</html>")
PARTIES = """
SELECT party.*, party.id AS erp_id, party.code AS key,
  (SELECT json_group_array(json_array(id, active, street_unstructured, city, postal_code))
   FROM party_address WHERE party = party.id) AS addresses,
  (SELECT json_group_array(json_array(id, active, type, value))
   FROM party_contact_mechanism WHERE party = party.id) AS mechanisms,
  (SELECT json_group_array(json_array(id, active, type, code))
   FROM party_identifier WHERE party = party.id) AS identifiers
FROM party_party AS party WHERE party.id > ?
"""
ACCOUNTS = """
SELECT account.*, account.id AS erp_id, account.code AS key
FROM analytic_account_account AS account WHERE account.id > ?
"""


class Tryton(NamedTuple):
    """The module's database, directly and through a proxy that breaks things."""

    erp: Erp
    proxied: str
    faults: Faults


@pytest.fixture(scope="module")
def tryton(tryton_server: Server) -> Iterator[Tryton]:
    """A database of this module's own, also behind a proxy."""
    erp = tryton_server.erp("conformance")
    place = urlsplit(tryton_server.address)
    with proxy((place.hostname or "", place.port or 0)) as (address, faults):
        yield Tryton(erp, f"{address}/{erp.path.stem}", faults)


def by_hand(erp: Erp, method: str, place: str, values: Mapping[str, Any]) -> None:
    """A write that is not the adapter's."""
    headers = {"Authorization": f"Bearer {erp.facts['key']}"}
    context = rest.encoded({"company": erp.facts["company"]})
    done = requests.request(
        method,
        f"{erp.url}/rest/model/{place}",
        json=values,
        headers={**headers, "X-Tryton-Context": context},
        timeout=30,
    )
    done.raise_for_status()


@dataclass
class Known:
    """Names of Tryton's IDs, from its own database."""

    erp: Erp

    def code(self, table: str, number: int) -> str:
        (row,) = self.erp.rows(f"SELECT code FROM {table} WHERE id = ?", number)
        return str(row["code"])


class TrytonHarness(Harness):
    """What vendors and cost codes have in common."""

    model: str
    query: str

    def __init__(self, folder: Path, tryton: Tryton) -> None:
        super().__init__(folder)
        self.tryton, self.case = tryton, next(CASES)
        self.faults.set("")
        self.first = 0
        self.first = max((int(row["erp_id"]) for row in self.holdings()), default=0)

    @property
    def faults(self) -> Faults:
        return self.tryton.faults

    def adapter(self) -> TrytonAdapter:
        return adapter_for(self.tryton.erp, self.folder, url=self.tryton.proxied)

    def address(self) -> str:
        return self.tryton.proxied

    def adapter_at(self, address: str) -> TrytonAdapter:
        place = f"{address}/{self.tryton.erp.path.stem}"
        return adapter_for(self.tryton.erp, self.folder, url=place)

    @contextmanager
    def in_a_hurry(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("erp_integrations.adapters.tryton.adapter.TIME_FOR_ONE", 0)
            yield

    def key(self, number: int) -> str:
        return f"K{self.case}-{number}"

    def holdings(self) -> Sequence[Mapping[str, Any]]:
        rows = self.tryton.erp.rows(self.query, self.first)
        return [{name: str(value) for name, value in row.items()} for row in rows]

    def by_hand(self, values: Mapping[str, Any]) -> None:
        by_hand(self.tryton.erp, "POST", self.model, values)

    def change(self, erp_id: str) -> None:
        by_hand(self.tryton.erp, "PUT", f"{self.model}/{erp_id}", {"name": "Changed by Hand"})

    def delete(self, erp_id: str) -> None:
        by_hand(self.tryton.erp, "DELETE", f"{self.model}/{erp_id}", {})

    def sent(self) -> dict[str, Any]:
        return dict(json.loads(self.faults.written()[-1]))

    def settle(self) -> None:
        self.faults.settle()

    @contextmanager
    def fault(self, kind: str, **how: object) -> Iterator[None]:
        self.faults.set(kind, **how)
        yield
        self.faults.set("")

    def losing_answers(self):
        return self.fault("cut_after")

    @contextmanager
    def refusing_login(self) -> Iterator[None]:
        """As Tryton's administrator does it."""
        query = "UPDATE res_user_application SET state = ? WHERE key = ?"
        self.tryton.erp.change(query, "cancelled", self.tryton.erp.facts["key"])
        yield
        self.tryton.erp.change(query, "validated", self.tryton.erp.facts["key"])

    @contextmanager
    def throttling(self) -> Iterator[float | None]:
        answer = response("429 Too Many Requests\r\nRetry-After: 7", b"<html>Slow down</html>")
        with self.fault("answer", with_answer=answer, writes_only=False):
            yield 7.0

    def answering_garbage(self):
        """A page that repeats the request, as debugging proxies do."""
        page = f"<html>Authorization: Bearer {self.tryton.erp.facts['key']}</html>"
        return self.fault("answer", with_answer=response("200 OK", page.encode()))

    def failing_at_questions(self):
        """Every call fails, since a write starts with a read."""
        return self.fault("answer", with_answer=SERVER_ERROR, writes_only=False)

    def failing_at_writes(self):
        return self.fault("answer", with_answer=SERVER_ERROR)

    @contextmanager
    def being_slow(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, self.fault("delay", seconds=4.0):
            patch.setattr(rest, "CALL_SECONDS", 2.0)
            yield

    def applying_late(self):
        return self.being_slow()

    def secrets(self) -> Sequence[str]:
        return [self.tryton.erp.facts["key"]]


class VendorHarness(TrytonHarness):
    """Parties, whose code Tryton keeps unique."""

    model = "party.party"
    query = PARTIES

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        (category,) = self.tryton.erp.rows("SELECT id FROM party_category LIMIT 1")
        return vendor(self.key(number), category=str(category["id"]), **payload)

    def plant(self, command: Command, **payload: Any) -> None:
        self.by_hand({"code": command.key, **payload})

    def plant_twins(self, command: Command) -> None:
        cannot("The codes of Tryton's parties are unique by a constraint of its database.")

    def received(self) -> Mapping[str, Any]:
        """IDs as the values they refer to, "create" commands as the rows that they create."""
        sent, known = self.sent(), Known(self.tryton.erp)
        ((_, (address,)),) = sent.pop("addresses")
        country = known.code("country_country", address["country"])
        state = known.code("country_subdivision", address["subdivision"])
        address |= {"country": country, "subdivision": state.removeprefix(f"{country}-")}
        ((_, mechanisms),) = sent.pop("contact_mechanisms")
        ((_, identifiers),) = sent.pop("identifiers")
        ((_, categories),) = sent.pop("categories")
        return {
            **sent,
            **{f"addresses.{name}": value for name, value in address.items()},
            **{
                f"contact_mechanisms.{mechanism['type']}": mechanism["value"]
                for mechanism in mechanisms
            },
            **{
                f"identifiers.{identifier['type']}": identifier["code"]
                for identifier in identifiers
            },
            "categories": ",".join(str(category) for category in categories),
        }


class CostCodeHarness(TrytonHarness):
    """Analytic accounts, whose codes Tryton does not require to be unique."""

    entity = "cost_code"
    text_field = "description"
    digits_field = "full_code"
    erp_keeps_keys_unique = False
    model = "analytic_account.account"
    query = ACCOUNTS

    def command(self, number: int = 1, /, **payload: Any) -> Command:
        code = str(payload.get("full_code") or self.key(number))
        command = cost_code(code, f"Work {number}")
        return replace(command, payload={**command.payload, **payload})

    def plant(self, command: Command, **payload: Any) -> None:
        facts = self.tryton.erp.facts
        place = {"root": facts["root"], "parent": facts["root"], "company": facts["company"]}
        name = payload.get("description", "Entered by Hand")
        account = {"code": command.key, "name": name, "type": "normal", "state": "opened"}
        self.by_hand({**account, **place})

    def plant_twins(self, command: Command) -> None:
        self.plant(command)
        self.plant(command)

    def received(self) -> Mapping[str, Any]:
        """IDs as the values they refer to."""
        sent, known = self.sent(), Known(self.tryton.erp)
        top = sent["parent"] == sent["root"]
        root = known.code("analytic_account_account", sent["root"])
        return {**sent, "root": root, "parent": "" if top else str(sent["parent"])}


class OnTryton(AdapterConformance):
    """The cases, with a Tryton that :meth:`make_harness` can use."""

    @pytest.fixture(autouse=True)
    def reach(self, tryton: Tryton) -> None:
        self.tryton = tryton


class TestVendors(OnTryton):
    def make_harness(self, folder: Path) -> Harness:
        return VendorHarness(folder, self.tryton)


class TestCostCodes(OnTryton):
    def make_harness(self, folder: Path) -> Harness:
        return CostCodeHarness(folder, self.tryton)

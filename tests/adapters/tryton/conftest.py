"""A real Tryton for the session, a fresh database for each module, and commands for it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from erp_integrations.adapters.base import Command, Found, Io, Operation, Outcome
from erp_integrations.adapters.tryton import TrytonAdapter
from tests.tryton import Erp, Server, serving
from tests.tryton_proxy import Faults, proxy

Make = Callable[..., TrytonAdapter]


@pytest.fixture(scope="session")
def tryton_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Tryton for all modules of this process."""
    with serving(tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture(scope="module")
def erp(tryton_server: Server, request: pytest.FixtureRequest) -> Erp:
    """A database of the module's own."""
    return tryton_server.erp(re.sub(r"\W", "_", request.module.__name__).lower())


@pytest.fixture(scope="module")
def proxied(tryton_server: Server, erp: Erp) -> Iterator[tuple[str, Faults]]:
    """The module's database behind a proxy that breaks things."""
    place = urlsplit(tryton_server.address)
    with proxy((place.hostname or "", place.port or 0)) as (address, faults):
        yield f"{address}/{erp.path.stem}", faults


@pytest.fixture
def faults(proxied: tuple[str, Faults]) -> Faults:
    """The proxy's faults, all cleared."""
    proxied[1].set("")
    return proxied[1]


def adapter_for(erp: Erp, folder: Path, *, key: str = "", **config: Any) -> TrytonAdapter:
    logger = logging.getLogger("tryton")
    io = Io(folder=folder, clock=time.time, logger=logger, allowed_hosts=("127.0.0.0/8",))
    config = {"url": erp.url, "company": erp.facts["company"], "root": "COSTCODES", **config}
    return TrytonAdapter(config, {"key": key or erp.facts["key"]}, io)


@pytest.fixture
def make(erp: Erp, tmp_path: Path) -> Make:
    """Adapters with other settings."""
    return lambda **config: adapter_for(erp, tmp_path, **config)


@pytest.fixture
def adapter(make: Make) -> TrytonAdapter:
    return make()


@pytest.fixture
def through_proxy(make: Make, proxied: tuple[str, Faults], faults: Faults) -> TrytonAdapter:
    return make(url=proxied[0])


FIRM = {
    "name": "Acme Concrete",
    "address": "12 Dover Street",
    "city": "Easton",
    "state_code": "MD",
    "zip": "01601",
    "country_code": "US",
    "business_phone": "(410) 555-0100",
    "mobile_phone": "",
    "fax_number": "(410) 555-0101",
    "email_address": "office@acme.example",
    "website": "http://www.acme.example",
    "entity_type": "ein",
    "entity_id": "91-1144442",
    "is_active": True,
}


def vendor(code: str, *, intent: str = "", category: str = "", **payload: Any) -> Command:
    return Command(
        intent=intent or f"intent-{code}",
        entity="vendor",
        operation=Operation.CREATE,
        key=code,
        payload={**FIRM, **payload},
        acceptance={"vendor_id": code, "vendor_type": category},
    )


def vendor_update(known: Outcome | Found, **payload: Any) -> Command:
    return Command(
        intent="change",
        entity="vendor",
        operation=Operation.UPDATE,
        key=known.erp_code,
        payload={**FIRM, **payload},
        erp_id=known.erp_id,
        erp_version=known.erp_version,
    )


def cost_code(
    full_code: str, description: str, *, parent: str = "", group: bool = False
) -> Command:
    return Command(
        intent=f"intent-{full_code}",
        entity="cost_code",
        operation=Operation.CREATE,
        key=full_code,
        payload={
            "code": full_code.rpartition("-")[2],
            "full_code": full_code,
            "description": description,
            "is_group": group,
        },
        parent_erp_id=parent,
    )


def done(adapter: TrytonAdapter, command: Command) -> Outcome:
    (outcome,) = adapter.submit([command])
    assert outcome.error is None, outcome.error
    return outcome


def refused(adapter: TrytonAdapter, command: Command):
    (outcome,) = adapter.submit([command])
    assert outcome.error is not None
    return outcome.error


PARTY = """
SELECT party.code, party.name, party.active, address.street_unstructured AS street, address.city,
  address.postal_code, country.code AS country, subdivision.code AS subdivision
FROM party_party AS party
LEFT JOIN party_address AS address ON address.party = party.id AND address.active
LEFT JOIN country_country AS country ON country.id = address.country
LEFT JOIN country_subdivision AS subdivision ON subdivision.id = address.subdivision
WHERE party.code = ?
"""


def party(erp: Erp, code: str) -> dict[str, Any]:
    """The one party of this code, from Tryton's own database."""
    (row,) = erp.rows(PARTY, code)
    for table, column in (("party_contact_mechanism", "value"), ("party_identifier", "code")):
        entries = erp.rows(
            f"SELECT entry.type, entry.{column} AS value FROM {table} AS entry"
            " JOIN party_party ON party_party.id = entry.party"
            " WHERE party_party.code = ? AND entry.active",
            code,
        )
        row |= {entry["type"]: entry["value"] for entry in entries}
    return row

"""The REST API against a plain serializer over the same fields, and against bare SQL and JSON."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection as db
from django.test import Client, override_settings

from bench import ground
from bench.ground import Ground
from bench.measure import Aim, Result, clock, medians
from directory.api.vendor_serializer import PLAIN as AS_THEY_ARE
from directory.api.vendor_serializer import TEXTS
from directory.models import Company
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.oauth import applications, tokens
from erpbridge.oauth.applications import Service
from erpbridge.rest.responses import dumps

LISTED, SYNCED, MANY = 1_000, 500, 100_000
OURS, PLAIN, BARE = "erpbridge", "ModelSerializer", "bare SQL and JSON"
# The columns of the vendor itself that the list shows.
OWN = (
    *TEXTS,
    *AS_THEY_ARE,
    *("entity_type", "entity_id", "origin_data", "primary_contact_id", "is_own_company"),
    *("classifications", "standard_cost_code_ids", "parent_id", "contract_signer_id"),
)
_turns = itertools.count(1)


@dataclass(frozen=True)
class Caller:
    """A service account's token, and what it is for."""

    place: Ground
    token: str
    client: Client

    def __call__(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of an answer. :raises RuntimeError: for any status but 200."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Procore-Company-Id": str(self.place.account.pk),
        }
        data = b"" if body is None else orjson.dumps(body)
        answer = self.client.generic(
            method, f"/rest/{path}", data, "application/json", headers=headers
        )
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.content[:300]!r}")
        return answer.content


def caller(size: int) -> Caller:
    """A new account with ``size`` vendors, and a program that may do everything there."""
    override_settings(ROOT_URLCONF="bench.plain").enable()
    place = ground.ground()
    ground.add_companies(place, size)
    ground.analyze()
    service = Service(levels=Levels(Level.ADMIN, Level.ADMIN, Level.ADMIN, True))
    created = applications.create("Benchmark", service=service, by=place.ada)
    if created.application.service is None:
        raise RuntimeError("It was to be a service account.")
    issued = tokens.issue(created.application, created.application.service.user, refresh=False)
    return Caller(place, issued.access, Client(SERVER_NAME="localhost"))


def list_plain(size: int = LISTED) -> Result:
    """A list against the plain serializer."""
    call = caller(size)
    cases = {PLAIN: lambda: _plain_list(call, size), OURS: lambda: _our_list(call, size)}
    return _result("rest_list", f"List {size:,} vendors", PLAIN, cases, Aim(most=0.4))


def list_bare(size: int = LISTED) -> Result:
    """A list against bare SQL."""
    call = caller(size)
    cases = {BARE: lambda: _bare_list(call), OURS: lambda: _our_list(call, size)}
    return _result("rest_list_floor", f"List {size:,} vendors", BARE, cases, Aim(most=2))


def sync_plain(size: int = SYNCED) -> Result:
    """A sync against the plain serializer."""
    call = caller(size)
    cases = {PLAIN: lambda: _sync(call, "plain/vendors"), OURS: lambda: _our_sync(call)}
    return _result("rest_sync", f"Sync {size:,} vendors", PLAIN, cases, Aim(most=0.4))


def sync_bare(size: int = SYNCED) -> Result:
    """A sync against bare SQL, which keeps no history."""
    call = caller(size)
    cases = {BARE: lambda: _bare_sync(call), OURS: lambda: _our_sync(call)}
    return _result("rest_sync_floor", f"Sync {size:,} vendors", BARE, cases, Aim(most=2))


def first_byte(size: int = MANY, few: int = LISTED) -> Result:
    """Lists of an account with many vendors, against the same list of a small account."""
    small, large = caller(few), caller(size)
    last_page = -(-size // 100)
    addresses = {
        "first page": "v1.0/vendors",
        "last page": f"v1.0/vendors?page={last_page}",
        "by name": "v1.0/vendors?sort=name",
        "changed since": "v1.0/vendors?filters[updated_at]=2026-01-01...2027-01-01",
        "searched": "v1.0/vendors?filters[search]=Masonry",
        "compact": "v1.0/vendors?view=compact&per_page=2000",
    }
    baseline = f"first page of {few:,} vendors"
    cases = {baseline: lambda: _ask(small, addresses["first page"])} | {
        f"{name} of {size:,}": _asking(large, address) for name, address in addresses.items()
    }
    return Result(
        name="rest_first_byte",
        what=f"Lists of an account with {size:,} vendors",
        baseline=baseline,
        measured=f"first page of {size:,}",
        figures=medians(cases),
    )


def _result(
    name: str, what: str, baseline: str, cases: dict[str, Callable[[], float]], aim: Aim
) -> Result:
    return Result(
        name=name,
        what=f"{what} over REST",
        baseline=baseline,
        measured=OURS,
        figures=medians(cases, rounds=5),
        aims={OURS: aim},
    )


def _ask(call: Caller, path: str) -> float:
    return clock(lambda: call("GET", path))


def _asking(call: Caller, path: str) -> Callable[[], float]:
    return lambda: _ask(call, path)


def _our_list(call: Caller, size: int) -> float:
    return _ask(call, f"v1.0/vendors?per_page={size}")


def _plain_list(call: Caller, size: int) -> float:
    return _ask(call, f"plain/vendors?per_page={size}")


def _bare_list(call: Caller) -> float:
    return clock(lambda: _dump(call))


def _dump(call: Caller) -> bytes:
    """The rows of the vendors and of everything that the view shows with them, as they are."""
    names = Company.trades.through, Company.project_companies.rel.related_model
    vendor_ids = f"SELECT id FROM {Company._meta.db_table} WHERE account_id = %s"
    data: dict[str, Any] = {}
    with db.cursor() as cursor:
        columns = ", ".join(OWN)
        rows = f"SELECT {columns} FROM {Company._meta.db_table} WHERE account_id = %s ORDER BY id"
        cursor.execute(rows, [call.place.account.pk])
        data["vendors"] = [dict(zip(OWN, row, strict=True)) for row in cursor.fetchall()]
        for model in names:
            table = model._meta.db_table
            cursor.execute(
                f"SELECT * FROM {table} WHERE company_id IN ({vendor_ids})", [call.place.account.pk]
            )
            data[table] = cursor.fetchall()
    return dumps(data)


def _rows(call: Caller) -> list[dict[str, Any]]:
    """Every vendor with another city than before."""
    city = f"Town {next(_turns)}"
    ids = Company.objects.filter(account=call.place.account).values_list("pk", flat=True)
    return [{"id": pk, "city": city, "business_phone": "4105550100"} for pk in ids]


def _sync(call: Caller, path: str) -> float:
    rows = _rows(call)
    return clock(lambda: call("PATCH", path, {"updates": rows}))


def _our_sync(call: Caller) -> float:
    return _sync(call, "v1.0/vendors/sync")


def _bare_sync(call: Caller) -> float:
    rows = _rows(call)

    def write() -> bytes:
        updates = orjson.loads(orjson.dumps({"updates": rows}))["updates"]
        table = Company._meta.db_table
        values = ", ".join(["(%s, %s, %s)"] * len(updates))
        with db.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET city = new.city, business_phone = new.phone "
                f"FROM (VALUES {values}) AS new (id, city, phone) WHERE {table}.id = new.id",
                [update[name] for update in updates for name in ("id", "city", "business_phone")],
            )
        return _dump(call)

    return clock(write)

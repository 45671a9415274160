"""Every two bulk operations on the same rows at the same moment: there is no deadlock, and
neither overwrites what the other stores.

``PAIRS_ROWS=1200 PAIRS_ROUNDS=4`` makes it the long form: every pair, and the pieces of an
operation as large as the product makes them. ``-s`` shows how often the database was asked again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from admin_wbs.models import CodeList
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.models import ActiveConnection, Connection, Link
from erpbridge.db import batches, bulk_update, busy
from erpbridge.oauth import tokens
from tests.erp_integrations.pairs import Codes, Companies, Scene, collide
from tests.factories import ApplicationFactory, MembershipFactory, ProjectFactory
from tests.rest.fixtures import Api

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.shared]

ROWS = int(os.environ.get("PAIRS_ROWS", "60"))
ROUNDS = int(os.environ.get("PAIRS_ROUNDS", "2"))
LONG = ROWS >= 1_000
PIECE = 500 if LONG else 10

ACTS = (
    *("send", "retrieve", "accept", "reject", "unlink", "link", "rename", "export", "expire"),
    *("import_file", "sync", "drop", "reconnect", "use_anyway"),
)
# Only with no open items; otherwise they are refused.
IDLE = ("send", "unlink", "link", "rename", "import_file", "sync", "drop", "reconnect")
NEED_IDLE = ("lead_elsewhere", "switch")
Pair = tuple[type[Scene], str, str]
# Pairs that once ended in a deadlock, or lock the most rows; the long form has all.
SHORT: list[Pair] = [
    (Codes, "send", "reject"),
    (Codes, "send", "rename"),
    (Codes, "retrieve", "rename"),
    (Codes, "reject", "link"),
    (Codes, "accept", "unlink"),
    (Codes, "export", "expire"),
    (Codes, "import_file", "unlink"),
    (Codes, "import_file", "sync"),
    (Codes, "import_file", "export"),
    (Codes, "sync", "send"),
    (Codes, "sync", "unlink"),
    (Codes, "sync", "export"),
    (Codes, "sync", "drop"),
    (Codes, "reconnect", "send"),
    (Codes, "reconnect", "sync"),
    (Codes, "use_anyway", "accept"),
    (Codes, "use_anyway", "unlink"),
    (Codes, "use_anyway", "export"),
    (Codes, "lead_elsewhere", "send"),
    (Codes, "lead_elsewhere", "sync"),
    (Codes, "lead_elsewhere", "unlink"),
    (Codes, "switch", "send"),
    (Codes, "switch", "sync"),
    (Codes, "switch", "reconnect"),
    (Companies, "import_file", "send"),
    (Companies, "import_file", "unlink"),
    (Companies, "import_file", "sync"),
    (Companies, "sync", "send"),
    (Companies, "sync", "reject"),
    (Companies, "sync", "unlink"),
    (Companies, "sync", "export"),
    (Companies, "edit_and_send", "unlink"),
    (Companies, "edit_and_send", "sync"),
    (Companies, "edit_and_send", "drop"),
    (Companies, "lead_elsewhere", "sync"),
]


def every_pair() -> Iterator[Pair]:
    for records in (Codes, Companies):
        acts = ACTS if records is Codes else (*ACTS, "edit_and_send")
        for first, second in itertools.combinations(acts, 2):
            yield records, first, second
        for act in ("reject", "accept", "send", "sync", "import_file"):
            yield records, act, act
        for act, other in itertools.product(IDLE, NEED_IDLE):
            yield records, other, act


PAIRS = list(every_pair()) if LONG else SHORT


@pytest.fixture
def make_scene(connection: Connection, account, ada, pat, access_of, monkeypatch):
    """Records of a type, and those who do something to them."""
    monkeypatch.setattr(batches, "CHUNK", PIECE)
    monkeypatch.setattr(bulk_update, "AT_ONCE", PIECE)
    ProjectFactory.create(account=account)
    person = MembershipFactory.create(
        account=account, account_admin=True, can_push_to_accounting=True
    )
    other = connection_settings.create(
        account=account, name="Other", adapter="simulator", config={"ledger": "other"}, by=ada
    )
    assert connection_services.test(other, by=ada)
    assert connection_services.refresh(other, by=ada)
    application = ApplicationFactory.create(account=account)
    api = Api(tokens.issue(application, person.user).access, account.pk)

    def make(records: type[Scene], rows: int) -> Scene:
        scene = records(connection, access_of(ada), access_of(pat), other, api, person)
        scene.make(rows)
        return scene

    return make


@pytest.mark.parametrize(
    ("records", "first", "second"),
    PAIRS,
    ids=lambda value: value if isinstance(value, str) else value.entity,
)
def test_two_at_once_are_both_answered_and_nothing_is_lost(make_scene, records, first, second):
    scene = make_scene(records, ROWS)
    problems: list[str] = []
    before = busy.counted()
    for _ in range(ROUNDS):
        scene.set_up(idle=first in NEED_IDLE)
        errors, stored = collide(getattr(scene, first), getattr(scene, second))
        problems += [*errors, *scene.wrong(stored)]
    after = busy.counted()
    again = {kind: after[kind] - before[kind] for kind in after}
    print(f"PAIR {records.entity} {first} x {second}: {problems} {again}")
    assert problems == []
    assert again == {"retried": 0, "given_up": 0}


def test_a_list_is_taken_over_while_a_program_says_what_its_codes_are_called(make_scene):
    """It is locked after the connection by the one, and before it by the other."""
    scene = make_scene(Codes, 30)
    codes = CodeList.objects.filter(connection_id=scene.connection.pk)
    list_id, before = codes.get().pk, busy.counted()
    for _ in range(ROUNDS):
        scene.set_up(idle=True)
        Link.objects.all().delete()
        ActiveConnection.objects.all().delete()
        codes.update(connection_id=None, awaits_erp=True)
        errors, _stored = collide(scene.sync, scene.activate)
        assert errors == []
        assert codes.get().pk == list_id
    assert busy.counted() == before

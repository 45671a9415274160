"""One scene for all tests of a module, since making it takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from erpbridge.access.models import Account, User
from tests.db.transactions import kept_for_module
from tests.every_call.writes import Scene
from tests.factories import AccountFactory, MembershipFactory, UserFactory
from tests.rest.fixtures import take_all_segments


@pytest.fixture(scope="module")
def scene(django_db_setup, django_db_blocker) -> Iterator[Scene]:
    with kept_for_module(django_db_blocker), pytest.MonkeyPatch.context() as monkeypatch:
        take_all_segments(monkeypatch)
        account = AccountFactory.create(name="Harbor Construction")
        ada = UserFactory.create(name="Ada Admin")
        MembershipFactory.create(
            user=ada, account=account, account_admin=True, can_push_to_accounting=True
        )
        yield Scene(account, ada)


@pytest.fixture
def account(db, scene: Scene) -> Account:
    return scene.account


@pytest.fixture
def ada(db, scene: Scene) -> User:
    return scene.ada

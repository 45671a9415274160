"""Callers of the API: a program of the account with every right, one with few, and a stranger's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from django.test import Client

from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Project, User
from erpbridge.access.services.people import Levels
from erpbridge.oauth import applications, tokens
from erpbridge.oauth.applications import CreatedApplication, Service
from tests.every_call.ours import everything_of
from tests.rest import contract

EVERYTHING = Levels(Level.ADMIN, Level.ADMIN, Level.ADMIN, True)


class Api:
    """Calls with a token, for one company unless ``company`` is None."""

    def __init__(
        self, token: str, company: int | None, made: CreatedApplication | None = None
    ) -> None:
        self.token, self.company, self.made = token, company, made
        self.client = Client()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.token}"}
        if self.company is not None:
            sent["Procore-Company-Id"] = str(self.company)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = path if path.startswith("/") else f"/rest/v1.0/{path}"
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        kind = "application/json" if body is not None else ""
        answer = self.client.generic(method, address, data, kind, headers=sent)
        contract.check(method, address, answer)
        return answer

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self("DELETE", path, **headers)


def service_of(account: Account, admin: User, name: str, service: Service) -> Api:
    access = policy.load(admin, account)
    assert access is not None
    made = applications.create(name, service=service, by=access)
    assert made.application.service is not None
    given = tokens.issue(made.application, made.application.service.user, refresh=False)
    return Api(given.access, account.pk, made)


@pytest.fixture
def make_service(account, ada) -> Callable[..., Api]:
    """A service account of the cast's account with the levels given."""

    def make(name: str = "Nightly sync", **service: Any) -> Api:
        return service_of(account, ada, name, Service(**service))

    return make


@pytest.fixture
def api(make_service) -> Api:
    """A service account with every right."""
    return make_service(levels=EVERYTHING, can_push_to_accounting=True)


@pytest.fixture
def reader(make_service, project) -> Api:
    """A service account that may read the Directory of the account and of the project."""
    levels = Levels(directory=Level.READ_ONLY)
    return make_service("Reports", levels=levels, on_projects=levels, projects=[project])


@pytest.fixture
def stranger(other_account, olga) -> Api:
    """An all-powerful service account of another account."""
    return service_of(other_account, olga, "Elsewhere", Service(levels=EVERYTHING))


@pytest.fixture
def ours(account, project, sam) -> dict[str, Any]:
    """Ids of marked rows of the cast's account."""
    return everything_of(account, project, sam)


@pytest.fixture
def connected(account, ada):
    """A simulator that the account uses for its companies."""
    connection = connection_settings.create(
        account=account, name="Simulator", adapter="simulator", config={}, by=ada
    )
    connection_services.activate(connection, by=ada)
    return connection


@pytest.fixture
def all_segments(monkeypatch) -> None:
    """The simulator takes every segment that an account can have."""
    take_all_segments(monkeypatch)


def take_all_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SimulatorAdapter.manifest
    able = classmethod(lambda _cls, config: replace(plain(config), custom_segments=True))
    monkeypatch.setattr(SimulatorAdapter, "manifest", able)


@pytest.fixture
def access_of(account) -> Callable[..., policy.Access]:
    """The access of a person in the account, or in a project of it."""

    def load(user: User, project: Project | None = None) -> policy.Access:
        access = policy.load(user, account, project)
        assert access is not None
        return access

    return load

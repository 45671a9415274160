"""What every test can use: the cast, the browser, a worker.

The cast of each story: Ada administers the account and may push to accounting, Pat is an approver
in accounting, Sam is a standard user on the project, Olga belongs to another account.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

from erp_integrations.adapters.conformance import report
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Project, User
from erpbridge.audit import triggers
from erpbridge.processes import embedded
from tests import programs, template_database
from tests.factories import (
    AccountFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    UserFactory,
)
from tests.outgoing import requests_without_erp

# Callers of the REST API, the rule for SQLite, and the list of skipped cases.
pytest_plugins = ["tests.rest.fixtures", "tests.db.on_sqlite", "tests.adapters.skips"]

# The same examples every time, so that a result depends on the change alone. `--hypothesis-seed=N`
# with the profile "default" tries others. There is no deadline: speed depends on the machine.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

# --- between tests --------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _no_request_calls_the_erp() -> Iterator[None]:
    with requests_without_erp.refusing_calls_of_the_erp():
        yield


@pytest.fixture(scope="session", autouse=True)
def _flush_despite_append_only_events() -> Iterator[None]:
    """SQLite empties tables by DELETE after a transactional test, which the triggers refuse."""
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_without_triggers(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with self.connection.schema_editor(atomic=False) as editor:
            triggers.remove(editor)
        try:
            flush(self, sql_list)
        finally:
            with self.connection.schema_editor(atomic=False) as editor:
                triggers.install(editor)

    BaseDatabaseOperations.execute_sql_flush = flush_without_triggers  # type: ignore[method-assign]
    yield
    BaseDatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copies the database that ``tests/servers.py`` has migrated."""
    if connection.vendor == "postgresql":
        template = os.environ.get("ERPBRIDGE_TEST_TEMPLATE")
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """True where a copy of a migrated SQLite database could be made."""
    name = connection.settings_dict["TEST"]["NAME"]
    return connection.vendor == "sqlite" and template_database.copy_to(Path(name))


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_keepdb: bool, django_db_blocker
) -> Iterator[None]:
    """Lets the database be dropped although a browser keeps its connection to the live server."""
    if connection.vendor == "sqlite" and not django_db_keepdb:
        template_database.keep(Path(connection.settings_dict["NAME"]))
    yield
    if connection.vendor == "postgresql":
        # The server may have closed this connection during the last tests.
        connection.close()
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


# --- the cast -------------------------------------------------------------------------------


@pytest.fixture
def account(db: None) -> Account:
    return AccountFactory.create(name="Harbor Construction")


@pytest.fixture
def project(account: Account) -> Project:
    return ProjectFactory.create(account=account, number="1042", name="Pier 7 Warehouse")


@pytest.fixture
def other_account(db: None) -> Account:
    return AccountFactory.create(name="Ridge Builders")


@pytest.fixture
def other_project(other_account: Account) -> Project:
    return ProjectFactory.create(account=other_account, number="1042", name="Ridge School")


@pytest.fixture
def ada(account: Account) -> User:
    """Admin of the account who also holds the approver's privilege."""
    user = UserFactory.create(name="Ada Admin")
    MembershipFactory.create(
        user=user, account=account, account_admin=True, can_push_to_accounting=True
    )
    return user


@pytest.fixture
def pat(account: Account) -> User:
    """An accounting approver, who can read the Directory."""
    user = UserFactory.create(name="Pat Approver")
    MembershipFactory.create(user=user, account=account, approver=True, directory=Level.READ_ONLY)
    return user


@pytest.fixture
def sam(account: Account, project: Project) -> User:
    """Standard in the account's and the project's Directory, without any right on top."""
    user = UserFactory.create(name="Sam Standard")
    membership = MembershipFactory.create(user=user, account=account, directory=Level.STANDARD)
    ProjectMembershipFactory.create(
        membership=membership, project=project, directory=Level.STANDARD
    )
    return user


@pytest.fixture
def olga(other_account: Account) -> User:
    """Admin and approver of another account."""
    user = UserFactory.create(name="Olga Other")
    MembershipFactory.create(
        user=user, account=other_account, account_admin=True, can_push_to_accounting=True
    )
    return user


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A test client in which the person is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


# --- the browser ----------------------------------------------------------------------------

# Milliseconds that a click waits for its element, and an expectation for the page to fulfill it.
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    return {
        **browser_type_launch_args,
        "executable_path": shutil.which("chromium"),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture
def console_errors() -> list[str]:
    """What the browser complained about; a test that provokes an error clears it."""
    return []


@pytest.fixture
def context(new_context, console_errors: list[str]):
    """A browser context that fails the test on script errors and policy violations."""
    context = new_context()
    context.set_default_timeout(PATIENCE)
    context.on(
        "console",
        lambda message: message.type == "error" and console_errors.append(str(message.text)),
    )
    context.on("weberror", lambda raised: console_errors.append(str(raised.error)))
    yield context
    assert console_errors == []


@pytest.fixture
def sign_in(context, live_server, client_of) -> Callable[[User], None]:
    """Sign a person in, in the browser, without the login page."""

    def as_user(user: User) -> None:
        cookie = client_of(user).cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])

    return as_user


# --- a worker -------------------------------------------------------------------------------


@pytest.fixture
def celery_worker_process(transactional_db: None) -> Iterator[programs.Running]:
    """A real Celery worker in a process of its own, on the test database and the run's Redis."""
    with programs.celery_worker(connection.settings_dict) as worker:
        yield worker


@pytest.fixture
def worker(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Somebody who exports: a worker process with Redis, the embedded worker without."""
    if programs.redis_url():
        request.getfixturevalue("celery_worker_process")
        yield
        return
    running = embedded.start()
    yield
    running.stop()


# Files that take half a minute and more begin first: none is left for one process alone at the end.
LONG = {
    "access/test_foreign_ids",
    "access/test_scopes",
    "browser/test_main_job",
    "connections/test_wait_reasons",
    "cost_codes/test_cost_code_job",
    "db/test_conflicts",
    "db/test_conflicts_on_pages",
    "erp_integrations/test_pairs",
    "every_call/test_refusals",
    "every_call/test_rights",
    "every_page/test_every_url",
    "every_page/test_no_input_breaks_a_page",
    "every_page/test_written_pages",
    "faults/test_campaign",
    "faults/test_controls",
    "faults/test_deliveries",
    "importing/test_export",
    "processes/test_serve",
    "processes/test_server_answers",
    "repository/test_bench",
    "rest/test_odd_filters",
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the long files first; the order of the others stays that of the seed."""
    items.sort(key=lambda item: "/".join(item.path.with_suffix("").parts[-2:]) not in LONG)


def pytest_configure(config: pytest.Config) -> None:
    """Lists what conformance harnesses could not be made to show, also with several programs."""
    report.watch(config)

"""The export by a Celery worker in a process of its own, which may die at any moment."""

from __future__ import annotations

import psutil
import pytest
from django.db import connection as db

from erp_integrations.export import lease_recovery
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.states import State
from tests import programs
from tests.erp_integrations import steps

pytestmark = [pytest.mark.shared, pytest.mark.django_db(transaction=True)]


def all_synced() -> bool:
    return not Item.objects.exclude(state=State.SYNCED).exists()


def assert_each_is_in_the_erp_once(connection: Connection) -> None:
    ledger = steps.ledger_of(connection)
    assert ledger.count() == Item.objects.count()
    effects = {(effect.intent, effect.key) for effect in ledger.effects()}
    assert len(ledger.effects()) == len(effects)
    assert effects == {(str(item.intent), item.erp_key) for item in Item.objects.all()}


def kill(worker: programs.Running) -> None:
    """Kill the worker with all its children, as when the machine is switched off."""
    tree = psutil.Process(worker.pid)
    for process in [tree, *tree.children(recursive=True)]:
        process.kill()
    worker.wait(10)


def test_worker_process_exports_what_is_accepted(
    celery_worker_process, connection, accept_companies
):
    accept_companies(30)
    programs.wait_for(all_synced, program=celery_worker_process, seconds=60)
    assert_each_is_in_the_erp_once(connection)
    assert not Attempt.objects.exclude(outcome="applied").exists()


def end_all_connections() -> None:
    """End all connections to the database but this one, as a restart of the server does."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_worker_whose_connection_to_the_database_was_ended_goes_on(
    celery_worker_process, connection, accept_companies
):
    for _ in range(2):
        accept_companies(4)
        programs.wait_for(all_synced, program=celery_worker_process, seconds=60)
        end_all_connections()
    accept_companies(1)
    programs.wait_for(all_synced, program=celery_worker_process, seconds=60)
    assert_each_is_in_the_erp_once(connection)


def test_nothing_is_lost_or_doubled_by_a_worker_that_is_killed(connection, accept_companies):
    steps.change_config(connection, latency_ms=1_000)
    with programs.celery_worker(db.settings_dict) as first:
        accept_companies(30)
        # Stored after the lookup, which takes a second, and before the call, which takes another.
        programs.wait_for(Attempt.objects.exists, program=first)
        kill(first)
    assert not all_synced()
    # What the first worker was about to send is looked up one by one.
    steps.change_config(connection, latency_ms=10)
    steps.let_pass(100)
    with programs.celery_worker(db.settings_dict) as second:
        lease_recovery.tick(period=-1)
        programs.wait_for(all_synced, program=second, seconds=60)
    assert_each_is_in_the_erp_once(connection)
    assert Attempt.objects.filter(outcome="lost").exists()


def test_item_accepted_while_no_worker_and_no_message_is_there_is_exported(
    connection, accept_companies, monkeypatch
):
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda *_args, **_kwargs: None)
    accept_companies(3)
    monkeypatch.undo()
    with programs.celery_worker(db.settings_dict) as worker:
        programs.wait_for(all_synced, program=worker, seconds=40)
    assert_each_is_in_the_erp_once(connection)

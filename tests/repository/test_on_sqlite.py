"""The rule for tests that also run on SQLite names only folders that exist."""

from pathlib import Path

import pytest

from tests.db.on_sqlite import DEPENDENT, QUERIES, depends_on_database

TESTS = Path(__file__).resolve().parents[1]


def test_every_room_of_the_rule_has_tests():
    folders = {path.parent.name for path in TESTS.rglob("test_*.py")}
    assert DEPENDENT - folders == set()
    assert QUERIES - {path.name for path in TESTS.rglob("test_*.py")} == set()


@pytest.mark.django_db(transaction=True)
def test_what_commits_runs_on_both(request):
    assert depends_on_database(request.node)
    assert request.node.get_closest_marker("on_sqlite")


@pytest.mark.django_db
def test_what_is_rolled_back_runs_once(request):
    assert not depends_on_database(request.node)
    assert not request.node.get_closest_marker("on_sqlite")


@pytest.mark.django_db(transaction=True)
def test_a_server_without_a_worker_runs_once(live_server, request):
    assert not depends_on_database(request.node)


def test_no_test_is_marked_by_hand():
    mark = "mark.on_" + "sqlite"
    marked = [path for path in TESTS.rglob("*.py") if mark in path.read_text()]
    assert marked == []

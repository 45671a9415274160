"""Which tests run on SQLite too. All of them run on PostgreSQL with Redis.

A test runs on both where its result may depend on the database or on the worker: code that
commits, locks or waits; code with SQL or queries of its own; the engine and its
links; files that are imported in batches; and the programs that ``make run`` starts. Pages, API
calls and rules above these go through the same querysets on either database, and run once.

``pytest`` without ``-m`` on SQLite runs all that needs no servers.
"""

from __future__ import annotations

import pytest

# Folders, anywhere under tests/.
DEPENDENT = frozenset(
    {
        *("db", "models", "model", "audit"),
        *("export", "links", "importing"),
        *("jobs", "processes", "management"),
    }
)
# Files about queries: how many a page makes, and their results.
QUERIES = frozenset({"test_queries.py", "test_query_counts.py", "test_querysets.py"})
# Fixtures of tests through a server; of these, only tests with a worker run on both.
SERVED = frozenset({"page", "context", "live_server"})


def depends_on_database(item: pytest.Item) -> bool:
    """Whether a test may pass on PostgreSQL and fail on SQLite for a reason of erpbridge."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if "worker" in fixtures:
        return True
    if SERVED & fixtures:
        return False
    if (
        DEPENDENT.intersection(item.path.relative_to(item.config.rootpath).parts)
        or item.path.name in QUERIES
    ):
        return True
    return _commits(item, fixtures)


def _commits(item: pytest.Item, fixtures: set[str]) -> bool:
    mark = item.get_closest_marker("django_db")
    return "transactional_db" in fixtures or bool(mark and mark.kwargs.get("transaction"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests before ``-m on_sqlite`` selects them."""
    for item in items:
        if depends_on_database(item):
            item.add_marker("on_sqlite")

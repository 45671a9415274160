"""While one transaction decides on a connection, others wait and lock nothing that it may need."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections as databases
from django.db import transaction

from erp_integrations.models import Connection, Item
from tests.erp_integrations.test_all_or_nothing import OF_CONNECTION, Scene

pytestmark = [pytest.mark.shared, pytest.mark.django_db(transaction=True)]


class Other(threading.Thread):
    """Run an act on a database connection of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.act = act
        self.pid: int | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            self.act()
        except BaseException as error:
            self.error = error
        finally:
            databases.close_all()

    def waits(self) -> bool:
        """Whether it now waits for a lock of this test instead of having ended."""
        until = time.monotonic() + 20
        while self.is_alive() and time.monotonic() < until:
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_backend_pid() = ANY(pg_blocking_pids(%s))", [self.pid or 0]
                )
                if cursor.fetchone()[0]:
                    return True
            time.sleep(0.01)
        return False


@pytest.mark.parametrize("act", OF_CONNECTION)
def test_whoever_comes_second_waits_and_holds_nothing(act, request):
    other = Other(OF_CONNECTION[act](Scene(request)))
    with transaction.atomic():
        list(Connection.objects.select_for_update(no_key=True))
        other.start()
        assert other.waits()
        # Without the order of locks the two would now wait for each other.
        assert list(Item.objects.select_for_update(nowait=True).values_list("pk"))
    other.join(20)
    assert (other.is_alive(), other.error) == (False, None)

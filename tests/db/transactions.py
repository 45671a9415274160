"""Transactions of a test's own.

Like the transaction around a test they do not count as open, so that they allow what is refused in
a transaction, such as a call of the ERP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


def uncounted() -> Any:
    """A transaction that the code under test does not see."""
    block: Any = transaction.atomic()
    block._from_testcase = True
    return block


@contextmanager
def kept_for_module(blocker: Any) -> Iterator[None]:
    """Rows that the tests of a module share; the changes of each test are rolled back after it.

    For a fixture of the scope ``module`` that asks for ``django_db_setup`` and
    ``django_db_blocker``, where the rows take longer to make than a test to run.
    """
    with blocker.unblock(), taken_back():
        yield


@contextmanager
def taken_back() -> Iterator[None]:
    """A transaction that the code under test does not see, rolled back at the end."""
    with uncounted():
        yield
        transaction.set_rollback(True)

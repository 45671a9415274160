"""Threads share the connections to the cache."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache


def connection_of_a_thread() -> int:
    """The number that Redis gave to the connection that a new thread uses."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: cache._cache.get_client().client_id()).result()


@pytest.mark.shared
def test_a_thread_uses_the_connection_that_an_ended_one_left() -> None:
    assert connection_of_a_thread() == connection_of_a_thread()

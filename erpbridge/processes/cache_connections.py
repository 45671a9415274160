"""Connections to the cache, which is the Redis of the installation."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from redis import BlockingConnectionPool


class SharedPool(BlockingConnectionPool):
    """One pool for each address, used by all threads of the process.

    Django makes a cache client for every thread, each with a pool of its own, and closes none: a
    thread that ends would leave its connection open until the garbage collector comes to it.
    """

    _pools: ClassVar[dict[str, Self]] = {}

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return the pool for this address; ``options`` are those of the first call."""
        # Two threads that come first at once get the same pool: setdefault is atomic.
        return cls._pools.setdefault(url, super().from_url(url, **options))

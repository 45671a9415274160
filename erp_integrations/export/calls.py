"""Calls to the ERP of one connection: as many at once as it allows, each in a thread.

The threads only call the ERP. What touches the database runs between the calls, in the worker's own
thread. What has to be done for one batch is a generator that yields its calls: see
``engine.export``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, Self, TypeVar

from erp_integrations.adapters.base import Adapter

logger = logging.getLogger(__name__)
T = TypeVar("T")
Call = Callable[[Adapter], Any]
Steps = Generator[Call, Any, T]


def in_turn(steps: Steps[T], adapter: Adapter) -> T:
    """Make the calls of one batch in this thread; returns what the generator returns."""
    try:
        call = next(steps)
        while True:
            call = steps.send(call(adapter))
    except StopIteration as end:
        result: T = end.value
        return result


class OverlappingCalls:
    """The calls of several batches, each in a thread and with an adapter of its own.

    :param new_adapter: makes an adapter for the connection.
    :param at_once: the most calls that may be open.
    """

    def __init__(self, new_adapter: Callable[[], Adapter], at_once: int) -> None:
        self._new_adapter = new_adapter
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="erp-call")
        self._idle: list[Adapter] = []
        self._open: dict[Future[Any], tuple[Steps[None], Adapter]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        # Calls are open here only after an error: what the ERP answers to them must not be lost.
        with self._threads:
            while self._open:
                try:
                    self.wait()
                except Exception:
                    logger.exception("a call to the ERP could not be completed")

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether no further call may be opened."""
        return len(self._open) >= self._at_once

    def start(self, steps: Steps[None]) -> None:
        """Begin a batch: run it up to its first call, and open that."""
        self._go_on(steps, None)

    def wait(self) -> bool:
        """Wait for the first answer, and take its batch up to its next call or its end.

        :returns: whether a batch has ended.
        """
        before = len(self._open)
        answered, _open = wait(self._open, return_when=FIRST_COMPLETED)
        for future in answered:
            steps, adapter = self._open.pop(future)
            self._idle.append(adapter)
            self._go_on(steps, future.result())
        return len(self._open) < before

    def _go_on(self, steps: Steps[None], answer: object) -> None:
        try:
            call = steps.send(answer)
        except StopIteration:
            return
        adapter = self._idle.pop() if self._idle else self._new_adapter()
        # With the context, for the ids in the log lines.
        future = self._threads.submit(copy_context().run, call, adapter)
        self._open[future] = (steps, adapter)

"""A thread that keeps the measured clock going, and makes the engine look for what is due or lost.

Every worker process has one, so that no single process has to be alive; which of them does the
work of a beat is decided by a conditional UPDATE.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections, connections

logger = logging.getLogger(__name__)

SIGN_SECONDS = 10.0
# Shorter than the longest push of the measured clock, so that none of them is cut short.
PULSE_SECONDS = 1.0


class Ticker(threading.Thread):
    """Beats every ``seconds`` until stopped; a failed beat is logged and the next one tries."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="ticker", daemon=True)
        self.seconds = seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Beat until :meth:`stop`, and say from time to time that this process is there."""
        # Not before the models are there.
        from erpbridge.clock.measured import Hand

        hand = Hand()
        self._try(hand.push)
        self._try(sign_in)
        signed = beaten = time.monotonic()
        self._try(lambda: beat(self.seconds))
        pause = pulse = min(PULSE_SECONDS, self.seconds)
        while not self._stopping.wait(pause):
            # A database that is away is not asked, and complained about, every second.
            pause = pulse if self._try(hand.push) else self.seconds
            moment = time.monotonic()
            if moment - beaten >= self.seconds - pulse / 2:
                beaten = moment
                self._try(lambda: beat(self.seconds))
            if moment - signed >= SIGN_SECONDS - pulse / 2:
                signed = moment
                self._try(sign)
        self._try(sign_out)
        connections.close_all()

    def _try(self, act: Callable[[], None]) -> bool:
        """Whether it worked."""
        try:
            close_old_connections()
            act()
        except Exception:
            logger.exception("A beat of the ticker failed; the next one tries again.")
            return False
        return True

    def stop(self, *, wait: float) -> None:
        """Beat no more; return when the beat at hand is over, after ``wait`` seconds at most."""
        self._stopping.set()
        self.join(wait)


def beat(seconds: float) -> None:
    """One beat, unless another process made it within most of the last ``seconds``."""
    from erp_integrations.export import lease_recovery

    lease_recovery.tick(period=seconds * 0.9)


def sign_in() -> None:
    """This process has begun to export."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.started()


def sign() -> None:
    """This process still exports."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.alive()


def sign_out() -> None:
    """This process stops exporting."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.ended()


_of_this_worker: list[Ticker] = []


def start_with_worker(**_signal: Any) -> None:
    """Celery's signal ``worker_ready``: a worker process of the shared installation is up."""
    ticker = Ticker(10.0)
    ticker.start()
    _of_this_worker.append(ticker)


def stop_with_worker(**_signal: Any) -> None:
    """Celery's signal ``worker_shutting_down``."""
    while _of_this_worker:
        _of_this_worker.pop().stop(wait=0)

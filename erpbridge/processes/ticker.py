"""The ticker thread: advances the measured clock and starts the engine's periodic work.

Every worker process has one, so that no single process is needed; a conditional UPDATE decides
which of them does the work of a tick.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connections

logger = logging.getLogger(__name__)

# Seconds between heartbeats.
SIGN_SECONDS = 10.0
# Seconds between advances of the clock; less than its longest advance (STEP), so that no time is
# lost.
PULSE_SECONDS = 1.0


class Ticker(threading.Thread):
    """Ticks every ``seconds`` until stopped; a failed tick is logged and retried with the next."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="ticker", daemon=True)
        self.seconds = seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Tick until :meth:`stop`, and write this process's heartbeat."""
        # Imported here, after the models are loaded.
        from erpbridge.clock.measured import Hand

        hand = Hand()
        self._try(hand.push)
        self._try(sign_in)
        last_heartbeat = last_tick = time.monotonic()
        self._try(lambda: beat(self.seconds))
        pause = pulse = min(PULSE_SECONDS, self.seconds)
        while not self._stopping.wait(pause):
            # Slow down while the database is down, to log less.
            pause = pulse if self._try(hand.push) else self.seconds
            now = time.monotonic()
            # Half a pulse of tolerance, because the wait may end slightly early.
            if now - last_tick >= self.seconds - pulse / 2:
                last_tick = now
                self._try(lambda: beat(self.seconds))
            if now - last_heartbeat >= SIGN_SECONDS - pulse / 2:
                last_heartbeat = now
                self._try(sign)
        self._try(sign_out)
        connections.close_all()

    def _try(self, act: Callable[[], None]) -> bool:
        """Call ``act`` and log an exception. Return whether it succeeded."""
        try:
            close_old_connections()
            act()
        except Exception:
            logger.exception("A tick failed; the next one tries again.")
            return False
        return True

    def stop(self, *, wait: float) -> None:
        """Stop ticking; wait up to ``wait`` seconds for the current tick."""
        self._stopping.set()
        self.join(wait)


def beat(seconds: float) -> None:
    """Tick once, unless another process did within most of the last ``seconds``."""
    from erp_integrations.export import lease_recovery

    # Less than the pause, so that a process that is slightly early does not lose its turn.
    lease_recovery.tick(period=seconds * 0.9)


def sign_in() -> None:
    """Register this process as exporting."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.started()


def sign() -> None:
    """Renew the heartbeat of this process."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.alive()


def sign_out() -> None:
    """Remove the heartbeat of this process."""
    from erp_integrations.monitoring import heartbeat

    heartbeat.ended()


_of_this_worker: list[Ticker] = []


def start_with_worker(**_signal: object) -> None:
    """Receiver of Celery's ``worker_ready``: start a ticker in the worker process."""
    ticker = Ticker(10.0)
    ticker.start()
    _of_this_worker.append(ticker)


def stop_with_worker(**_signal: object) -> None:
    """Receiver of Celery's ``worker_shutting_down``: stop the ticker."""
    while _of_this_worker:
        _of_this_worker.pop().stop(wait=0)

"""Doing jobs: claim, work in chunks for one turn, and make room for others.

A chunk, its progress and what the kind remembers are one transaction, in which the job's row is
locked by its owner's number. So a job whose worker died goes on after the last finished chunk,
and a worker that was only slow, and lost the job meanwhile, changes nothing any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Now

from erpbridge.clock.measured import at_least
from erpbridge.db.busy import is_conflict, retried, trouble_of
from erpbridge.jobs.kinds import kind_of
from erpbridge.jobs.models import Job
from erpbridge.jobs.wakeups import publish

logger = logging.getLogger(__name__)

# Seconds until others may take a job whose worker says nothing. A step says something before it
# talks to another machine, and each of its chunks does.
LEASE = 90.0
# Seconds after which a worker makes room: in the one-process mode it is the only one.
TURN = 5.0
# Workers that may take a job, one after the other, without one of them finishing a chunk.
MOST_TRIES = 5
# To whom it is said what happened, and what to do next: whoever started the job.
UNKNOWN = (
    "It stopped because of an unexpected error, which whoever runs erpbridge finds in the log "
    "under job {number}. Start it again; if it stops again, tell them that number."
)
REFUSED = "The database did not take what was to be stored."
GIVEN_UP = f"It was tried {MOST_TRIES} times in a row. Start it again then."


class JobProblem(Exception):
    """Why a job cannot go on, in words for the person who started it."""


class Lost(Exception):
    """Somebody else has the job now; what this worker has not committed is void."""


class Run:
    """A job in the hands of one worker.

    ``notes`` is kept between chunks; ``done`` and ``total`` are the progress that is shown.
    ``memory`` lasts for the turn of this worker only: what would be costly to look up anew in every
    chunk, and what a step can do without.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.notes: dict[str, Any] = dict(job.notes)
        self.done, self.total = job.done, job.total
        self.memory: dict[str, Any] = {}
        self.over = False
        self._result: dict[str, Any] = {}

    def alive(self) -> None:
        """Say that the worker is still there. :raises Lost: where another one has the job."""
        if not self._held().update(lease_until=at_least(LEASE)):
            raise Lost

    @contextmanager
    def chunk(self) -> Iterator[None]:
        """One transaction of the job: what is done in it, the progress, and the notes.

        :raises Lost: where another worker has the job.
        """
        with transaction.atomic():
            self.alive()
            yield
            values: dict[str, Any] = {
                "notes": self.notes,
                "done": self.done,
                "total": self.total,
                "tries": 0,
                "problem": "",
                "lease_until": at_least(LEASE),
            }
            if self.over:
                values |= {"state": Job.State.DONE, "result": self._result, "ended_at": Now()}
                values["lease_until"] = None
            self._held().update(**values)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Inside the last chunk: the job is done. ``result``: see ``jobs/job.html``."""
        self.over = True
        self._result = dict(result)

    def _held(self) -> Any:
        return Job.objects.filter(pk=self.job.pk, state=Job.State.RUNNING, fence=self.job.fence)


def work(job_id: int) -> None:
    """Go on with a job for one turn, unless somebody else has it."""
    try:
        run = claim(job_id)
        if run is not None:
            _work(run)
    except DatabaseError as error:
        # Not even that it cannot go on can be stored; its page looks for why. The tick tries again.
        logger.error("job %s waits: nothing can be stored. %s", job_id, _why(error))


def _work(run: Run) -> None:
    try:
        if run.job.tries > MOST_TRIES:
            raise JobProblem(f"{run.job.problem} {GIVEN_UP}" if run.job.problem else _unknown(run))
        _take_turn(run)
    except Lost:
        logger.info("job %s went to another worker", run.job.pk)
    except JobProblem as problem:
        _end(run, str(problem))
    except Exception as error:
        if isinstance(error, DatabaseError) or trouble_of(error):
            _put_back(run, error)
            return
        logger.exception("job %s stops", run.job.pk)
        _end(run, _unknown(run))


def _put_back(run: Run, error: Exception) -> None:
    """A database that restarts, a full disk: the next tick tries again, a few times. A conflict:
    at once.
    """
    logger.error("job %s: a chunk was rolled back", run.job.pk, exc_info=error)
    _release(run, problem=_why(error))
    if is_conflict(error):
        publish(run.job.pk)


def _why(error: Exception) -> str:
    trouble = trouble_of(error)
    if trouble is None:
        return f"{REFUSED} It can go on once whoever runs erpbridge has looked into the log."
    return f"{trouble.reason} It can go on {trouble.when}."


def _unknown(run: Run) -> str:
    return UNKNOWN.format(number=run.job.pk)


def claim(job_id: int) -> Run | None:
    """Take a job that waits, or whose worker has gone; None where somebody else has it."""
    job = Job.objects.due().filter(pk=job_id).first()
    if job is None:
        return None
    mine = Job.objects.due().filter(pk=job_id, fence=job.fence)
    taken = {"state": Job.State.RUNNING, "lease_until": at_least(LEASE), "tries": F("tries") + 1}
    if not mine.update(fence=job.fence + 1, **taken):
        return None
    stored = Job.objects.select_related("account", "project", "by").get(pk=job_id)
    # Taken from this worker at once? Then its number is another one, and every chunk is refused.
    stored.fence = job.fence + 1
    return Run(stored)


def _take_turn(run: Run) -> None:
    step = kind_of(run.job.kind).step
    until = time.monotonic() + TURN
    while not run.over and time.monotonic() < until:
        step(run)
    if not run.over:
        _release(run)
        publish(run.job.pk)


@retried
def _release(run: Run, *, problem: str = "") -> None:
    """Let another worker go on. ``problem``: why this one could not."""
    run._held().update(state=Job.State.QUEUED, lease_until=None, problem=problem)


def _end(run: Run, problem: str) -> None:
    failed = {"state": Job.State.FAILED, "problem": problem, "ended_at": Now()}
    run._held().update(**failed, lease_until=None)

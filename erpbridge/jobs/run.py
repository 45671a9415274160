"""Run jobs: claim one, work on it in chunks for one turn, then let others run.

A chunk, its progress and the kind's notes are one transaction, which updates the job's row only if
its ``fence`` is still this worker's. So a job whose worker died continues after the last finished
chunk, and a slow worker that lost the job changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from erpbridge.clock.measured import at_least
from erpbridge.db.busy import is_conflict, retried, trouble_of
from erpbridge.jobs.kinds import kind_of
from erpbridge.jobs.models import Job
from erpbridge.jobs.wakeups import LATER, publish
from erpbridge.json_values import Json

logger = logging.getLogger(__name__)

# Seconds until another worker may take a job without a sign of life. Each chunk renews the lease,
# and a step renews it before it calls another machine.
LEASE = 90.0
# Seconds after which a worker yields: in the one-process mode it is the only worker.
TURN = 5.0
# How many workers in a row may take a job without finishing a chunk.
MOST_TRIES = 5
# Texts for the person who started the job: what happened, and what to do.
UNKNOWN = (
    "It stopped because of an unexpected error, which the operator finds in the log "
    "under job {number}. Start it again; if it stops again, tell them that number."
)
REFUSED = "The database refused what was to be saved."
GIVEN_UP = f"It was tried {MOST_TRIES} times in a row. Start it again then."


class JobProblem(Exception):
    """Why a job cannot continue, in a text for the person who started it."""


class Lost(Exception):
    """Another worker has the job; this worker's uncommitted changes are rolled back."""


class Run:
    """A job claimed by one worker.

    ``notes`` is kept between chunks; ``done`` and ``total`` are the displayed progress. ``memory``
    is a cache for this worker's turn: what is expensive to look up in every chunk.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.notes: dict[str, Any] = dict(job.notes)
        self.done, self.total = job.done, job.total
        self.memory: dict[str, Any] = {}
        self.over = False
        self._result: dict[str, Json] = {}

    def alive(self) -> None:
        """Renew the lease.

        :raises Lost: when another worker has the job.
        """
        if not self._own_row().update(lease_until=at_least(LEASE)):
            raise Lost

    @contextmanager
    def chunk(self) -> Iterator[None]:
        """One transaction of the job: its changes, the progress and the notes.

        :raises Lost: when another worker has the job.
        """
        with transaction.atomic():
            # First, because it locks the row: a worker that lost the job stops before it writes.
            self.alive()
            yield
            values: dict[str, object] = {
                "notes": self.notes,
                "done": self.done,
                "total": self.total,
                # A chunk was finished, so what stopped earlier workers is over.
                "tries": 0,
                "problem": "",
                "lease_until": at_least(LEASE),
            }
            if self.over:
                values |= {"state": Job.State.DONE, "result": self._result, "ended_at": Now()}
                values["lease_until"] = None
            self._own_row().update(**values)

    def finish(self, result: Mapping[str, Json]) -> None:
        """Mark the job as done, inside its last chunk. ``result``: see ``jobs/job.html``."""
        self.over = True
        self._result = dict(result)

    def _own_row(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job.pk, state=Job.State.RUNNING, fence=self.job.fence)


def work(job_id: int) -> None:
    """Work on a job for one turn, unless another worker has it."""
    try:
        run = claim(job_id)
        if run is not None:
            _work(run)
    except DatabaseError as error:
        # Even the problem cannot be stored. The job's page checks the disk itself, and the next
        # tick retries.
        logger.error("job %s waits: nothing can be stored. %s", job_id, _reason(error))


def _work(run: Run) -> None:
    try:
        # Counted at the claim, so that a job that kills its worker ends too.
        if run.job.tries > MOST_TRIES:
            raise JobProblem(
                f"{run.job.problem} {GIVEN_UP}" if run.job.problem else _unknown_problem(run)
            )
        _take_turn(run)
    except Lost:
        logger.info("job %s was taken over by another worker", run.job.pk)
    except JobProblem as problem:
        _end(run, str(problem))
    except Exception as error:
        # Nothing of the chunk is stored, so it can be tried again as it is.
        if isinstance(error, DatabaseError) or trouble_of(error):
            _put_back(run, error)
            return
        logger.exception("job %s failed", run.job.pk)
        _end(run, _unknown_problem(run))


def _put_back(run: Run, error: Exception) -> None:
    """Release the job after a database error: the next tick retries it, up to ``MOST_TRIES`` times.

    A conflict with another transaction is retried at once.
    """
    logger.error("job %s: a chunk was rolled back", run.job.pk, exc_info=error)
    _release(run, problem=_reason(error))
    if is_conflict(error):
        publish(run.job.pk)


def _reason(error: Exception) -> str:
    trouble = trouble_of(error)
    if trouble is None:
        return f"{REFUSED} It can continue once the operator has looked into the log."
    return f"{trouble.reason} It can continue {trouble.when}."


def _unknown_problem(run: Run) -> str:
    return UNKNOWN.format(number=run.job.pk)


def claim(job_id: int) -> Run | None:
    """Take a job that waits, or whose lease has expired; None if another worker took it."""
    job = Job.objects.due().filter(pk=job_id).first()
    if job is None:
        return None
    # A conditional UPDATE, so that of two workers that were woken up only one takes it.
    claimable = Job.objects.due().filter(pk=job_id, fence=job.fence)
    columns = {"state": Job.State.RUNNING, "lease_until": at_least(LEASE), "tries": F("tries") + 1}
    if not claimable.update(fence=job.fence + 1, **columns):
        return None
    # Read again, to get the columns as the update left them.
    stored = Job.objects.select_related("account", "project", "by").get(pk=job_id)
    # If another worker has taken it meanwhile, the stored fence is theirs. Keeping our own number
    # makes every chunk fail with Lost.
    stored.fence = job.fence + 1
    return Run(stored)


def _take_turn(run: Run) -> None:
    step = kind_of(run.job.kind).step
    until = time.monotonic() + TURN
    while not run.over and time.monotonic() < until:
        step(run)
    if not run.over:
        _release(run)
        publish(run.job.pk, priority=LATER)


@retried
def _release(run: Run, *, problem: str = "") -> None:
    """Let another worker continue. ``problem``: why this one could not."""
    run._own_row().update(state=Job.State.QUEUED, lease_until=None, problem=problem)


def _end(run: Run, problem: str) -> None:
    failed = {"state": Job.State.FAILED, "problem": problem, "ended_at": Now()}
    run._own_row().update(**failed, lease_until=None)

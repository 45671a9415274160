"""A kind of job for tests: stores one audit event a chunk, and can die or fail on the way."""

from __future__ import annotations

import os
import signal

from erpbridge.audit.models import Event
from erpbridge.audit.services import Note, note
from erpbridge.jobs import kinds
from erpbridge.jobs.run import JobProblem, Run

KIND = "tests.counting"


def step(run: Run) -> None:
    args = run.job.args
    with run.chunk():
        number = run.notes.get("number", 0) + 1
        note(run.job.account_id, [Note("count", number, str(number), "counted")], by=run.job.by)
        if number == args.get("refuse_at"):
            raise JobProblem("Seven is right out.")
        if number == args.get("break_at"):
            raise ZeroDivisionError
        if number == args.get("die_at") and os.environ.get("COUNTING_MAY_DIE"):
            os.kill(os.getpid(), signal.SIGKILL)
        run.notes["number"] = number
        run.done = number
        if number == run.total:
            run.finish({"text": f"Counted to {number}."})


def counted() -> list[int]:
    events = Event.objects.filter(entity="count").order_by("pk")
    return list(events.values_list("subject_id", flat=True))


kinds.register(KIND, step, action="people.manage")

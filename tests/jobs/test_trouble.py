"""A job that cannot go on for want of room says so on its page, whatever its kind: that it waits or
has stopped, what happened, and what to do next.
"""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from django.db import IntegrityError, connection
from django.urls import reverse

from directory.models import Company
from erpbridge.db.busy import DISK
from erpbridge.jobs import kinds, views, wakeups
from erpbridge.jobs import run as jobs_run
from erpbridge.jobs.models import Job
from tests.db.test_no_room import LONG, full, lacking  # noqa: F401 - full is a fixture
from tests.factories import CompanyFactory, JobFactory, ProjectFactory
from tests.jobs import counting

pytestmark = pytest.mark.django_db(transaction=True)
WAITS = f"{DISK.reason} It can continue once there is room."
NOTHING_WRITTEN = ("25006", "PRAGMA query_only = 1", "PRAGMA query_only = 0")


def store_much(run: jobs_run.Run) -> None:
    with run.chunk():
        CompanyFactory.create(account=run.job.account, notes=LONG)


def write_a_file(run: jobs_run.Run) -> None:
    Path("/dev/full").write_bytes(b"of an upload")


def break_a_rule(run: jobs_run.Run) -> None:
    raise IntegrityError("UNIQUE constraint failed")


@pytest.fixture
def page_of(account, ada, client_of):
    """The page of a job as Ada reads it, who has signed in before the trouble began."""
    client = client_of(ada)

    def open_page(job: Job) -> str:
        place = [account.pk, job.project_id, job.public_id]
        name = "jobs:project_job" if job.project_id else "jobs:job"
        url = reverse(name, args=[argument for argument in place if argument is not None])
        return unescape(client.get(url).text)

    return open_page


@pytest.fixture
def job_of(account, ada, monkeypatch):
    """A job of a kind that does this in place of its own step. No worker is woken up."""
    monkeypatch.setattr(wakeups.current_app, "send_task", lambda *_args, **_more: None)

    def made(step, kind: str = counting.KIND) -> Job:
        known = kinds.kind_of(kind)
        monkeypatch.setitem(kinds._kinds, kind, replace(known, step=step))
        project = (
            ProjectFactory.create(account=account) if kind == "project_codes.refresh" else None
        )
        return JobFactory.create(account=account, project=project, kind=kind, by=ada)

    return made


def work_on(job: Job, times: int = 1) -> Job:
    for _ in range(times):
        jobs_run.work(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("kind", [kind.name for kind in kinds.kinds()])
@pytest.mark.usefixtures("full")
def test_on_a_full_disk_it_waits_then_stops_and_says_what_to_do(kind, job_of, page_of):
    job = work_on(job_of(store_much, kind))
    assert (job.state, job.problem) == ("queued", WAITS)
    assert f"{WAITS} It is retried automatically." in page_of(job)
    work_on(job, times=jobs_run.MOST_TRIES)
    page = page_of(job)
    assert job.state == "failed"
    assert f"{WAITS} It was tried 5 times in a row. Start it again then." in page
    assert "It can be started again." in page


def test_a_full_disk_for_files_is_said_alike(job_of, page_of):
    job = work_on(job_of(write_a_file))
    assert f"{WAITS} It is retried automatically." in page_of(job)


def test_what_the_database_refuses_is_said_without_its_words(job_of, page_of):
    page = page_of(work_on(job_of(break_a_rule)))
    assert f"{jobs_run.REFUSED} It can continue once the operator has looked" in page
    assert "UNIQUE" not in page


def test_once_there_is_room_it_goes_on_and_says_no_more_of_it(job_of, page_of):
    job = job_of(store_much)
    with lacking("53100", "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823"):
        work_on(job)
    kinds._kinds[job.kind] = replace(kinds.kind_of(job.kind), step=finish)
    work_on(job)
    assert (job.state, job.problem) == ("done", "")
    assert DISK.reason not in page_of(job)


def finish(run: jobs_run.Run) -> None:
    with run.chunk():
        run.finish({"text": "All there."})


# PostgreSQL's disk is another machine's, which no page can look at.
if connection.vendor == "sqlite":

    def test_where_nothing_at_all_can_be_stored_its_page_looks_for_why(
        job_of, page_of, monkeypatch, caplog
    ):
        job = job_of(store_much)
        with lacking(*NOTHING_WRITTEN):
            jobs_run.work(job.pk)
        assert f"job {job.pk} waits: nothing can be stored. {WAITS}" in caplog.text
        assert "Traceback" not in caplog.text
        assert DISK.reason not in page_of(job)
        monkeypatch.setattr(views, "disk_problem", lambda: "cannot be written: No space left")
        assert f"{WAITS} It is retried automatically." in page_of(job)
        assert not Company.objects.exists()

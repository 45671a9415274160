"""Background jobs: chunk by chunk, by one worker at a time, and on after any of them dies."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from erp_integrations.export import lease_recovery
from erpbridge.access import policy
from erpbridge.clock.measured import now
from erpbridge.jobs import run as jobs_run
from erpbridge.jobs import wakeups
from erpbridge.jobs.models import Job
from erpbridge.jobs.start import start
from tests import programs
from tests.jobs import counting
from tests.jobs.counting import counted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begin(account, ada):
    def job(total: int = 3, subject: str = "fingers", **args: int) -> Job:
        access = policy.load(ada, account)
        made, _new = start(
            counting.KIND,
            access=access,
            subject=subject,
            title="Count",
            back="/",
            args=args,
            total=total,
        )
        return made

    return job


@pytest.fixture
def unheard(monkeypatch):
    """No worker is woken up: the test decides who works."""
    monkeypatch.setattr(wakeups.current_app, "send_task", lambda *_args, **_more: None)


def worker_goes(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=now())


def test_a_job_is_done_in_chunks_and_says_what_came_of_it(begin, unheard):
    job = begin(total=3)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.result) == ("done", 3, {"text": "Counted to 3."})
    assert counted() == [1, 2, 3]
    assert job.lease_until is None


def test_a_second_job_about_a_subject_begins_once_the_first_is_done(begin, unheard):
    first = begin(subject="fingers")
    assert begin(subject="fingers") == first
    jobs_run.work(first.pk)
    second = begin(subject="fingers")
    assert (second.pk, second.state) != (first.pk, "done")


def test_a_worker_makes_room_after_its_turn_and_another_goes_on(begin, unheard, monkeypatch):
    monkeypatch.setattr(jobs_run, "TURN", 0.0)
    job = begin(total=2)
    monkeypatch.setattr(jobs_run, "_take_turn", step_and_release)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == ("queued", 1)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, counted()) == ("done", [1, 2])


def step_and_release(run: jobs_run.Run) -> None:
    counting.step(run)
    if not run.over:
        jobs_run._release(run)


def test_two_who_start_the_same_have_one_job(begin, unheard):
    assert begin().pk == begin().pk
    assert begin(subject="toes").pk != begin().pk


def test_four_who_start_the_same_at_once_have_one_job(begin, unheard):
    def in_a_thread(_number: int) -> int:
        try:
            return begin().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(in_a_thread, range(4)))) == 1
    assert Job.objects.count() == 1


def test_four_workers_woken_at_once_do_it_once(begin, unheard):
    job = begin(total=30)

    def in_a_thread(_number: int) -> None:
        try:
            jobs_run.work(job.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(in_a_thread, range(4)))
    assert counted() == list(range(1, 31))


def test_a_killed_workers_job_goes_on_after_its_last_chunk(begin, unheard):
    job = begin(total=5, die_at=3)
    program = (
        "import django; django.setup();"
        "from tests.jobs import counting; from erpbridge.jobs import run;"
        f"run.work({job.pk})"
    )
    env = programs.environment(
        DATABASE_URL=programs.database_url(connection.settings_dict), COUNTING_MAY_DIE="1"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=programs.ROOT, timeout=60, check=False
    )
    assert done.returncode == -9
    job.refresh_from_db()
    assert (job.state, job.done) == ("running", 2)
    jobs_run.work(job.pk)
    assert counted() == [1, 2], "nobody takes the job while its worker may be alive"
    worker_goes(job)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, counted()) == ("done", [1, 2, 3, 4, 5])


def test_a_worker_that_was_only_slow_changes_nothing_any_more(begin, unheard):
    job = begin(total=2)
    slow = jobs_run.claim(job.pk)
    worker_goes(job)
    jobs_run.work(job.pk)
    assert counted() == [1, 2]
    with pytest.raises(jobs_run.Lost):
        counting.step(slow)
    assert counted() == [1, 2]


def test_the_tick_wakes_somebody_up_for_a_forgotten_job(begin, monkeypatch):
    woken: list[int] = []
    monkeypatch.setattr(
        wakeups.current_app, "send_task", lambda _name, args, **_more: woken.append(args[0])
    )
    job = begin()
    jobs_run.claim(job.pk)
    woken.clear()
    lease_recovery.tick(period=0)
    assert woken == []
    worker_goes(job)
    lease_recovery.tick(period=0)
    assert woken == [job.pk]


def test_a_job_that_cannot_go_on_says_why_and_keeps_what_was_done(begin, unheard):
    job = begin(total=9, refuse_at=7)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.problem) == ("failed", "Seven is right out.")
    assert (job.done, counted()) == (6, [1, 2, 3, 4, 5, 6])


def test_an_unexpected_error_stops_the_job_and_stays_in_the_log(begin, unheard, caplog):
    job = begin(break_at=2)
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.problem) == ("failed", jobs_run.UNKNOWN.format(number=job.pk))
    assert "ZeroDivisionError" in caplog.text


def test_a_chunk_that_the_database_rolled_back_is_tried_again_but_not_for_ever(
    begin, unheard, monkeypatch
):
    job = begin()

    def deadlock(run: jobs_run.Run) -> None:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr(jobs_run, "_take_turn", deadlock)
    for _ in range(jobs_run.MOST_TRIES):
        jobs_run.work(job.pk)
        job.refresh_from_db()
        assert job.state == "queued"
    jobs_run.work(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"

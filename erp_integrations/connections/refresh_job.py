"""Test a connection and refresh its data in a background job.

A step fetches one part from the ERP, outside of a transaction, and keeps it in the job's chunk. If
the settings change meanwhile, the job begins again with the new ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from django.urls import reverse

from erp_integrations.connections import refresh, services
from erp_integrations.models import Connection
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.jobs.kinds import register
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import JobProblem, Run
from erpbridge.jobs.start import start

TEST_AND_REFRESH = "connection.test_and_refresh"
REFRESH = "connection.refresh"


def subject(connection: Connection) -> str:
    """The subject under which jobs of a connection are stored."""
    return f"connection:{connection.pk}"


def test_and_refresh(connection: Connection, *, access: Access) -> Job:
    """Start a test of the connection, which is followed by a refresh if it passes."""
    back = reverse("erp:connection", args=[connection.account_id])
    title = f"Test and refresh {connection.name}"
    return _start(TEST_AND_REFRESH, connection, access=access, title=title, back=back)


def refresh_only(connection: Connection, *, access: Access, back: str) -> Job:
    """Start a refresh, for people who may not test connections too."""
    title = f"Refresh the data of {connection.name}"
    return _start(REFRESH, connection, access=access, title=title, back=back)


def _start(kind: str, connection: Connection, *, access: Access, title: str, back: str) -> Job:
    job, _is_new = start(
        kind,
        access=access,
        subject=subject(connection),
        title=title,
        back=back,
        args={"connection": connection.pk},
    )
    return job


def step(run: Run) -> None:
    """Test the connection, or fetch and keep the next part of its data."""
    connection = Connection.objects.get(pk=run.job.args["connection"])
    settings = _digest(connection)
    # The first step, or the settings have changed: data of two ERPs must not be mixed.
    if run.notes.get("settings") != settings:
        with run.chunk():
            run.done, run.notes = 0, {"settings": settings}
        return
    if run.job.kind == TEST_AND_REFRESH and not run.notes.get("tested"):
        _test(run, connection)
        return
    place = refresh.Place(**run.notes.get("place", {}))
    try:
        if place.is_over:
            _finish(run, connection)
        else:
            _fetch_next(run, connection, place)
    except refresh.NotFetched as error:
        # If the settings have changed, the next step begins again with them.
        if services.keep_problem(connection, error):
            raise JobProblem(f"The ERP data could not be fetched: {error}") from error


def _digest(connection: Connection) -> str:
    """Changes with the settings of the connection, also with the secret ones."""
    settings = json.dumps([connection.config, connection.secrets], sort_keys=True)
    return hashlib.sha256(settings.encode()).hexdigest()


def _test(run: Run, connection: Connection) -> None:
    run.alive()
    if services.test(connection, by=run.job.by):
        with run.chunk():
            run.notes["tested"] = True
    # Otherwise the test was of the old settings, and the next step begins with the new ones.
    elif services.is_as_read(connection):
        problems = " ".join(connection.test_result["problems"])
        raise JobProblem(f"The connection test failed: {problems}")


def _fetch_next(run: Run, connection: Connection, place: refresh.Place) -> None:
    run.alive()
    part = refresh.fetch_next(connection, place)
    with run.chunk():
        run.notes["place"] = asdict(refresh.keep(part, place))
        if isinstance(part, refresh.FetchedPage):
            run.done += len(part.records)


def _finish(run: Run, connection: Connection) -> None:
    with run.chunk():
        # First, because it locks the account, which comes before the connection (docs/locks.md).
        services.take_over_new(connection)
        services.end_refresh(connection, by=run.job.by)
        run.finish({"text": f"{_outcome(run, connection)} up to date.{_counted(run.done)}"})


def _outcome(run: Run, connection: Connection) -> str:
    if run.job.kind == TEST_AND_REFRESH:
        return f"{connection.name} works, and its data is"
    return f"The data of {connection.name} is"


def _counted(records: int) -> str:
    """How many records were read; empty for an ERP whose records are not read."""
    return f" {records:,} record{'' if records == 1 else 's'} read." if records else ""


def register_jobs() -> None:
    """Register the jobs with the workers."""
    for kind in (TEST_AND_REFRESH, REFRESH):
        register(kind, step, action=Permission.CONNECTION_VIEW)

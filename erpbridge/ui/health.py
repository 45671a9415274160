"""Health checks for process supervisors: liveness and readiness."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from erpbridge.processes.private_files import disk_problem, space_report

Report = Callable[[], tuple[str | None, Mapping[str, object]]]


@login_not_required
def livez(_request: HttpRequest) -> JsonResponse:
    """Answer that the process is alive; checks nothing else."""
    return JsonResponse({"status": "alive"})


@login_not_required
def readyz(_request: HttpRequest) -> JsonResponse:
    """Check everything that a request needs; 503 with the reasons if something fails.

    A failure of background work gives "degraded" with status 200, because removing the web server
    from service would not help. The reasons have no server names.
    """
    results = {name: check() for name, check in CHECKS.items()}
    ready = not any(results.values())
    details: dict[str, object] = {}
    # Reports query the database, so they are skipped while it does not answer.
    for name, report in _reports.items():
        results[name], report_details = (
            ("unknown", {}) if results["database"] else _result_of(report)
        )
        details.update(report_details)
    answers = {name: problem or "ok" for name, problem in results.items()}
    status = "not ready" if not ready else "degraded" if any(results.values()) else "ready"
    return JsonResponse({"status": status, **answers, **details}, status=200 if ready else 503)


def report_on(name: str, report: Report) -> None:
    """Register an app's report on its background work: a problem or None, and details."""
    _reports[name] = report


def _result_of(report: Report) -> tuple[str | None, Mapping[str, object]]:
    try:
        return report()
    except DatabaseError:
        return "unknown", {}


def database_problem() -> str | None:
    """Return why the database cannot be used; None if it can."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return None


def migrations_problem() -> str | None:
    """Return whether there are unapplied migrations; None if not."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unknown"
    return f"{len(waiting)} not applied" if waiting else None


def broker_problem() -> str | None:
    """Return why wake-ups cannot be published; None if they can, or without a broker."""
    if not settings.REDIS_URL:
        return None
    # Imported here: without a broker nobody needs it, and it takes 6 MB.
    import redis

    # Seconds; a health check must answer quickly.
    limits = {"socket_timeout": 2, "socket_connect_timeout": 1}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **limits) as broker:
            broker.ping()
    except redis.RedisError:
        return "does not answer"
    return None


_reports: dict[str, Report] = {"space": space_report}
CHECKS: dict[str, Callable[[], str | None]] = {
    "database": database_problem,
    "migrations": migrations_problem,
    "broker": broker_problem,
    "disk": disk_problem,
}

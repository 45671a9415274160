"""Export health: a page for ERP admins of an account, and endpoints for operators."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from erp_integrations.adapters.base import Delivery
from erp_integrations.connections.wait_reasons import Cause, Wait
from erp_integrations.models.querysets import capped
from erp_integrations.models.states import State
from erp_integrations.monitoring import health
from erp_integrations.monitoring import metrics as health_metrics
from erp_integrations.monitoring.health import ConnectionHealth, Snapshot
from erp_integrations.monitoring.metrics import LEFT_TO
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped

# Prometheus' text format.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WORKING = {"label": "Working", "color": "green", "icon": "check-circle"}
# Yellow: paused by a person. Blue: ends by itself soon. Everything else is a problem.
COLORS = {Cause.PAUSED: ("yellow", "pause"), Cause.HELD_BACK: ("blue", "clock")}
TROUBLE = ("red", "exclamation-triangle")
COLUMNS = (
    (State.READY.label, (State.READY,)),
    ("Queued", (State.QUEUED,)),
    ("Being sent", (State.SENDING, State.SUBMITTED)),
    ("Outcome unknown", (State.UNCERTAIN,)),
    (State.NEEDS_ANSWER.label, (State.NEEDS_ANSWER,)),
    (State.FAILED.label, (State.FAILED,)),
)


@require_safe
@scoped(Permission.CONNECTION_CONFIGURE)
def page(request: ScopedRequest) -> HttpResponse:
    """Show the queue, the connections and the workers."""
    # Of this account only; the endpoints below show all accounts.
    snapshot = health.snapshot(account_id=request.access.account.pk)
    rows = [_row(connection) for connection in snapshot.connections]
    context = {"rows": rows, "facts": _facts(snapshot), "problems": _problems(snapshot)}
    return render(request, "erp/health.html", context)


def _problems(snapshot: Snapshot) -> list[str]:
    """Problems that an account's admin cannot solve; those of connections are in their rows."""
    late = health.tick_problem(snapshot.tick_age)
    # Every worker ticks (docs/design/export-protocol.md, "Ticking"), so that a late tick already
    # says what missing workers would.
    return [late] if late else [] if snapshot.workers else ["no worker was seen in the last minute"]


def _facts(snapshot: Snapshot) -> list[tuple[str, str]]:
    finished = sum(connection.finished for connection in snapshot.connections)
    failed = sum(connection.failed for connection in snapshot.connections)
    queue = sum(connection.queue for connection in snapshot.connections)
    oldest = max((connection.oldest_age for connection in snapshot.connections), default=0.0)
    # With file and polled delivery no worker is awaited, so these do not count as queue.
    left_over = sum(connection.left for connection in snapshot.connections)
    left_facts = [("Waiting for the ERP or a person", capped(left_over))] if left_over else []
    return [
        ("Items in export", capped(queue)),
        ("Oldest item in export", duration(oldest) if queue else "Nothing waits"),
        *left_facts,
        ("Attempts in the last hour", capped(finished)),
        ("Of these unsuccessful", _share(failed, finished)),
        ("Last search for due items", _ago(snapshot.tick_age)),
        ("Workers seen in the last minute", str(len(snapshot.workers))),
    ]


def _row(connection: ConnectionHealth) -> dict[str, object]:
    return {
        "connection": connection.connection,
        "badge": badge(connection.wait),
        "wait": connection.wait,
        "cells": [
            (words, capped(sum(connection.counts[state] for state in states)))
            for words, states in COLUMNS
        ],
        "left": _left_over(connection),
        "oldest": duration(connection.oldest_age) if connection.queue else "",
        "sends": connection.delivery not in LEFT_TO,
        "failures": _share(connection.failed, connection.finished),
    }


def badge(wait: Wait | None) -> dict[str, str]:
    """Return the badge of a connection's state."""
    if wait is None:
        return WORKING
    color, icon = COLORS.get(wait.cause, TROUBLE)
    return {"label": wait.cause.label, "color": color, "icon": icon}


def _left_over(connection: ConnectionHealth) -> str:
    """Describe the items that wait for the polling ERP or for a person; empty if there are none."""
    count = f"{capped(connection.left)} item{pluralize(connection.left)}"
    oldest = f"the oldest for {duration(connection.oldest_left_age)}"
    if not connection.left:
        return ""
    if connection.delivery == Delivery.FILE:
        return (
            f"{count} waiting for a person, {oldest}: make a file, or import one and report "
            "its result."
        )
    asked_at = connection.connection.asked_at
    last_call = (
        f"last called {_ago((connection.at.wall - asked_at).total_seconds())}"
        if asked_at
        else "has never called"
    )
    return f"{count} waiting for the ERP, {oldest}. The next call fetches them; it {last_call}."


def _share(failed: int, finished: int) -> str:
    return f"{capped(failed)} of {capped(finished)}" if finished else "No attempts"


def _ago(seconds: float | None) -> str:
    return "Never" if seconds is None else f"{duration(max(0.0, seconds))} ago"


def duration(seconds: float) -> str:
    """Return a time span of ``seconds`` in the largest sensible unit, such as ``5 min``."""
    for limit, size, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def for_operators(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Require the token of ERPBRIDGE_METRICS_TOKEN; without that setting the page does not exist.

    :raises Http404: if no token is set.
    """

    @login_not_required
    @never_cache
    @require_safe
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        expected: str = settings.ERPBRIDGE_METRICS_TOKEN
        if not expected:
            raise Http404
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # A comparison in constant time reveals nothing of the token by how long it takes.
        is_valid = hmac.compare_digest(token.strip().encode(), expected.encode())
        if scheme.lower() == "bearer" and is_valid:
            return view(request)
        refused = HttpResponse(
            "Send the metrics token as a bearer token.\n", METRICS_TYPE, status=401
        )
        refused["WWW-Authenticate"] = 'Bearer realm="erpbridge"'
        return refused

    return checked


@for_operators
def metrics(_request: HttpRequest) -> HttpResponse:
    """Metrics of all accounts in Prometheus' text format."""
    # Imported here: few installations collect metrics, and then from one of their processes.
    from erp_integrations.monitoring import prometheus

    return HttpResponse(prometheus.as_text(health.snapshot()), METRICS_TYPE)


@for_operators
def as_json(_request: HttpRequest) -> HttpResponse:
    """Health of all accounts as JSON.

    Always 200, since a problem of the export is no reason to stop a web server.
    """
    return JsonResponse(health_metrics.as_json(health.snapshot()))

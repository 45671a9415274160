"""How the export is doing: a page for an account's ERP admins, addresses for operators."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any

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
from erp_integrations.monitoring import metrics as text
from erp_integrations.monitoring.health import ConnectionHealth, Snapshot
from erp_integrations.monitoring.metrics import LEFT_TO
from erpbridge.access.scoping import ScopedRequest, scoped

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
WORKING = {"label": "Working", "color": "green", "icon": "check-circle"}
# What a person stopped is yellow, what ends by itself soon is blue; the rest is trouble.
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
@scoped("connection.configure")
def page(request: ScopedRequest) -> HttpResponse:
    """Queue, connections, workers."""
    found = health.snapshot(account_id=request.access.account.pk)
    rows = [_row(one) for one in found.connections]
    context = {"rows": rows, "facts": _facts(found), "problems": _problems(found)}
    return render(request, "erp/health.html", context)


def _problems(found: Snapshot) -> list[str]:
    """What an account's admin cannot mend; of the connections each row tells."""
    late = health.tick_problem(found.tick_age)
    return [late] if late else [] if found.workers else ["no worker was seen in the last minute"]


def _facts(found: Snapshot) -> list[tuple[str, str]]:
    finished = sum(one.finished for one in found.connections)
    failed = sum(one.failed for one in found.connections)
    queue = sum(one.queue for one in found.connections)
    oldest = max((one.oldest_age for one in found.connections), default=0.0)
    left = sum(one.left for one in found.connections)
    others = [("Left to the ERP or a person", capped(left))] if left else []
    return [
        ("On their way to the ERP", capped(queue)),
        ("Oldest of them", duration(oldest) if queue else "Nothing waits"),
        *others,
        ("Attempts in the last hour", capped(finished)),
        ("Of these unsuccessful", _share(failed, finished)),
        ("Last look for what is due", _ago(found.tick_age)),
        ("Workers seen in the last minute", str(len(found.workers))),
    ]


def _row(one: ConnectionHealth) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "badge": badge(one.wait),
        "wait": one.wait,
        "cells": [
            (words, capped(sum(one.counts[state] for state in states))) for words, states in COLUMNS
        ],
        "left": _left(one),
        "oldest": duration(one.oldest_age) if one.queue else "",
        "sends": one.delivery not in LEFT_TO,
        "failures": _share(one.failed, one.finished),
    }


def badge(wait: Wait | None) -> dict[str, str]:
    """How the state of a connection is shown."""
    if wait is None:
        return WORKING
    color, icon = COLORS.get(wait.cause, TROUBLE)
    return {"label": wait.cause.label, "color": color, "icon": icon}


def _left(one: ConnectionHealth) -> str:
    """For whom items wait that no worker is waited for with; empty where none does."""
    count = f"{capped(one.left)} item{pluralize(one.left)}"
    oldest = f"the oldest for {duration(one.oldest_left_age)}"
    if not one.left:
        return ""
    if one.delivery == Delivery.FILE:
        return (
            f"{count} left to a person, {oldest}: to make a file, or to import one and say what "
            "became of it."
        )
    asked = one.connection.asked_at
    last = (
        f"last asked {_ago((one.at.wall - asked).total_seconds())}" if asked else "has never asked"
    )
    return f"{count} left to the ERP, {oldest}. It fetches them when it asks; it {last}."


def _share(failed: int, finished: int) -> str:
    return f"{capped(failed)} of {capped(finished)}" if finished else "No attempts"


def _ago(seconds: float | None) -> str:
    return "Never" if seconds is None else f"{duration(max(0.0, seconds))} ago"


def duration(seconds: float) -> str:
    """A time span in its largest sensible unit."""
    for limit, size, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def for_operators(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Open to whoever shows the token; not there at all where none is set."""

    @login_not_required
    @never_cache
    @require_safe
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        expected: str = settings.ERPBRIDGE_METRICS_TOKEN
        if not expected:
            raise Http404
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), expected.encode())
        if scheme.lower() == "bearer" and right:
            return view(request)
        refused = HttpResponse("A bearer token is needed.\n", PROMETHEUS, status=401)
        refused["WWW-Authenticate"] = 'Bearer realm="erpbridge"'
        return refused

    return checked


@for_operators
def metrics(_request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, of all accounts."""
    return HttpResponse(text.prometheus(health.snapshot()), PROMETHEUS)


@for_operators
def as_json(_request: HttpRequest) -> HttpResponse:
    """The same as JSON; always 200, for what fails here is no reason to stop a web server."""
    return JsonResponse(text.as_json(health.snapshot()))

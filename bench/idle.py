"""From the click on Accept to Synced while nothing else is going on, in the one process of serve.

The server and its embedded worker are a process of their own on SQLite; the click is an HTTP
request to it. The baseline is the answer to that click.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from statistics import median, quantiles

import requests
from django.conf import settings
from django.urls import reverse

from bench import ground, programs
from bench.ground import Ground
from bench.measure import Result
from erp_integrations.models import Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept.services import Decision
from tests.programs import Running

CLICKS = 30
LOOK_EVERY = 0.001
LONGEST = 20.0


@dataclass(frozen=True)
class Times:
    """Seconds after a click."""

    answered: float
    synced: float


def run(clicks: int = CLICKS) -> Result:
    """Accept companies one by one and wait for each."""
    place = ground.ground()
    ground.connect(place)
    decisions = ground.send_all(place, ground.add_companies(place, clicks + 1))
    with programs.serving() as (address, server):
        session = programs.signed_in(place.pat)
        times = [
            _click(place, decision, f"{address}{{}}", session, server) for decision in decisions
        ]
    # The first click warms the server up.
    answered, synced = (
        [click_times.answered for click_times in times[1:]],
        [click_times.synced for click_times in times[1:]],
    )
    return Result(
        name="idle",
        what="Accept one company while nothing else is going on",
        baseline="until the click is answered, p50",
        measured="until it is exported, p50",
        figures={
            "until the click is answered, p50": median(answered),
            "until it is exported, p50": median(synced),
            "until it is exported, p95": quantiles(synced, n=20)[-1],
        },
    )


def _click(
    place: Ground, decision: Decision, address: str, session: requests.Session, server: Running
) -> Times:
    # In no step with whatever the server does periodically.
    time.sleep(0.1 + random.random() / 10)
    item = Item.objects.get(pk=decision.item_id)
    url = address.format(reverse("erp:item_accept", args=[place.account.pk, item.public_id]))
    values = {"digest": decision.digest, **decision.values}
    headers = {"X-CSRFToken": session.cookies[settings.CSRF_COOKIE_NAME]}
    started = time.perf_counter()
    answer = session.post(url, data=values, headers=headers, allow_redirects=False, timeout=LONGEST)
    answered = time.perf_counter() - started
    if answer.status_code != 302:
        raise RuntimeError(f"The click was answered with {answer.status_code}.")
    arrived = Item.objects.filter(pk=item.pk, state=State.SYNCED)
    while not arrived.exists():
        if time.perf_counter() - started > LONGEST or server.poll() is not None:
            raise RuntimeError("The company was not exported.")
        time.sleep(LOOK_EVERY)
    return Times(answered, time.perf_counter() - started)

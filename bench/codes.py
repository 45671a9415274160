"""Cost codes at three sizes: what a code costs from Send to Synced, and how its list is shown.

Each size is an account of its own with a list in five tiers, sent, accepted and exported by two
workers into a simulator without latency. All is measured along one life of the list, once in a
process; the figures are for a thousand codes, so that the ratio of two sizes is the growth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from statistics import median

from django.urls import reverse

from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.list_services import CODE
from admin_wbs.erp import send as send_to_erp
from admin_wbs.management.demo_codes import codes as invented
from admin_wbs.models import CodeList
from bench import ground, programs
from bench.ground import Ground
from bench.measure import Result, clock
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision

SIZES = (100, 1_000, 10_000)
# A figure is the median of so many lives of a list; a list that is longer than this has one.
LIVES = 3
LONG = 5_000
ACCEPTANCE = {"income_account": "4000"}
SEARCHED = "Masonry"
LONGEST = 300.0
LOOK_EVERY = 0.02

Seconds = Mapping[str, float]


def send(sizes: tuple[int, ...] = SIZES, lives: int = LIVES) -> Result:
    """The click on Send to ERP."""
    return _result("send_codes", "Send the cost codes of a list", _lives(sizes, lives), "send")


def accept(sizes: tuple[int, ...] = SIZES, lives: int = LIVES) -> Result:
    """The click on Export all."""
    return _result(
        "accept_codes", "Accept the cost codes of a list", _lives(sizes, lives), "accept"
    )


def export(sizes: tuple[int, ...] = SIZES, lives: int = LIVES) -> Result:
    """From accepted to synced, parents first."""
    what = "Export the cost codes of a list by two workers"
    return _result("export_codes", what, _lives(sizes, lives), "export")


def pages(sizes: tuple[int, ...] = SIZES, lives: int = LIVES) -> Result:
    """The page of the list, and a search that goes through all of it; not for a thousand codes."""
    figures = {
        f"{words} of {size:,} codes": _lives(sizes, lives)[size][page]
        for page, words in (("list", "the list"), ("search", "a search"))
        for size in sizes
    }
    return Result(
        name="pages_of_codes",
        what="A page of a list of cost codes",
        baseline=f"the list of {sizes[0]:,} codes",
        measured=f"the list of {sizes[-1]:,} codes",
        figures=figures,
    )


def _result(name: str, what: str, seconds_of_sizes: Mapping[int, Seconds], step: str) -> Result:
    figures = {
        f"{size:,} codes, for a thousand": seconds[step] / size * 1_000
        for size, seconds in seconds_of_sizes.items()
    }
    names = list(figures)
    return Result(name=name, what=what, baseline=names[0], measured=names[-1], figures=figures)


@cache
def _lives(sizes: tuple[int, ...], lives: int) -> Mapping[int, Seconds]:
    """Size -> what each step took."""
    with programs.workers():
        _life(sizes[0])  # Warms the workers up.
        return {size: _typical(size, 1 if size > LONG else lives) for size in sizes}


def _typical(size: int, lives: int) -> Seconds:
    lives_of_list = [_life(size) for _ in range(lives)]
    return {step: median(seconds[step] for seconds in lives_of_list) for step in lives_of_list[0]}


def _life(size: int) -> Seconds:
    place = ground.ground()
    connection = ground.connect(place)
    code_list = add_codes(place, connection, size)
    connection_services.pause(connection, by=place.ada.user, reason="Until all are accepted")
    ground.analyze()
    address = reverse("admin_wbs:list", args=[place.account.pk, code_list.pk])
    return {
        "send": clock(lambda: send_all(place, code_list, size)),
        "accept": clock(_accept(place, size)),
        "list": ground.page_seconds(place.ada, address),
        "search": ground.page_seconds(place.ada, f"{address}?q={SEARCHED}"),
        "export": clock(lambda: _export(place, connection, size)),
    }


def add_codes(place: Ground, connection: Connection, size: int) -> CodeList:
    """The connection's list with so many invented codes."""
    code_list = CodeList.objects.get(connection_id=connection.pk)
    code_services.add_many(code_list, invented(size), by=place.ada.user)
    code_list.refresh_from_db()
    return code_list


def send_all(place: Ground, code_list: CodeList, size: int) -> None:
    """The click on Send to ERP.

    :raises RuntimeError: when not every code was sent.
    """
    result = send_to_erp.send(code_list, access=place.ada, seen=code_list.revision)
    if result.done != size:
        raise RuntimeError(f"Sent {result.done} of {size}: {result.refused[:3]}")


def _accept(place: Ground, size: int) -> Callable[[], None]:
    """The click, with what the approver was shown before."""
    items = Item.objects.filter(account=place.account, state=State.READY).order_by("pk")
    decisions: list[Decision] = []

    def click() -> None:
        result = accept_services.accept(decisions, entity=CODE, access=place.pat)
        if result.done != size:
            raise RuntimeError(f"Accepted {result.done} of {size}: {result.refused[:3]}")

    decisions += [
        Decision(pk, digest, ACCEPTANCE) for pk, digest in items.values_list("pk", "digest")
    ]
    return click


def _export(place: Ground, connection: Connection, size: int) -> None:
    connection_services.resume(connection, by=place.ada.user)
    arrived = Item.objects.filter(account=place.account, state=State.SYNCED)
    until = time.monotonic() + LONGEST
    while (count := arrived.count()) < size:
        if time.monotonic() > until:
            raise RuntimeError(f"The workers exported {count} of {size} codes in {LONGEST:g} s.")
        time.sleep(LOOK_EVERY)

"""A page stores its changes once, also when PostgreSQL aborts its transaction in a conflict.

Every page of an account is opened, and every button of its forms clicked: the last statement that
writes ends in a deadlock, and the answer and all tables are the same as without it. If every try
ends like that, the page says that nothing was saved, keeps the input, and changes no table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from zeal import zeal_ignore

from admin_wbs.models import Segment
from erpbridge.db import busy
from tests.db import conflicts
from tests.every_call.writes import Scene
from tests.every_page.test_every_url import OF_ACCOUNTS, address, ours
from tests.forms import Form, shown_in

__all__ = ["ours"]
pytestmark = [pytest.mark.django_db, pytest.mark.shared]
ALWAYS = 10**6
# Several tests, so that no test takes half a minute.
PARTS = 3


@pytest.fixture
def places(all_segments, ours, account, ada, monkeypatch) -> list[dict[str, object]]:
    """Values for the arguments of addresses: new rows, and rows with a history."""
    monkeypatch.setattr(busy, "FIRST_REST", 0.0)
    Segment.objects.filter(pk=ours["segment_id"]).update(name="Stage")
    scene = Scene(account, ada)
    known = {
        "project_id": scene.project.pk,
        "company_id": scene.vendor.pk,
        "list_id": scene.list.pk,
        "code_id": scene.code.pk,
        "pk": scene.connection.pk,
    }
    places = [ours, ours | known]
    for item in scene.connection.items.all():
        places.append(ours | known | {"public_id": item.public_id})
    return places


def clicks(client: Client, places: list[dict[str, object]]) -> Iterator[tuple[str, str, Any]]:
    """Name of the view, address and body of each click, each kind once."""
    seen = set()
    opened = set()
    for url in OF_ACCOUNTS:
        for values in places:
            path = address(*url, values)
            if path in opened:
                continue
            opened.add(path)
            for form, data in filled(client, path):
                verb = [value for key, value in sorted(data.items()) if key in ("verb", "action")]
                kind = (form.name, str(verb), tuple(sorted(data)))
                if kind not in seen and form.name != "logout":
                    seen.add(kind)
                    yield form.name, form.action, data


def filled(client: Client, path: str) -> Iterator[tuple[Form, dict[str, list[Any]]]]:
    """Each form of a page, by each of its buttons."""
    for form in shown_in(client.get(path)):
        for data in form.filled():
            yield form, data


def sent(client: Client, where: str, data: dict[str, list[Any]]) -> Any:
    for values in data.values():
        for value in values:
            if hasattr(value, "seek"):
                value.seek(0)
    return client.post(where, data)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_click_is_done_again_after_a_conflict(client_of, ada, places, part):
    client = client_of(ada)
    client.raise_request_exception = False
    problems: list[str] = []
    struck: set[str] = set()
    with zeal_ignore(), conflicts.conflicts():
        columns = conflicts.columns()
        conflicts.arm(0, 0)
        for name, where, data in list(clicks(client, places))[part::PARTS]:
            before = conflicts.contents(columns)
            with conflicts.taken_back():
                conflicts.arm(0, 0)
                usual = sent(client, where, data)
                count, wanted = conflicts.written(), conflicts.contents(columns)
            if not count:
                continue
            struck.add(name)
            with conflicts.taken_back():
                conflicts.arm(count, count)
                answer = sent(client, where, data)
                differences = conflicts.differing(wanted, conflicts.contents(columns))
            if answer.status_code != usual.status_code or differences:
                problems.append(f"{name}: {usual.status_code} {answer.status_code} {differences}")
            with conflicts.taken_back():
                conflicts.arm(1, ALWAYS)
                refused = sent(client, where, data)
                left = conflicts.differing(before, conflicts.contents(columns))
            if left or refused.status_code != 503 or refused["Retry-After"] != "5":
                problems.append(f"{name} for ever: {refused.status_code} {left}")
    # The number that the forms cause without any input; more would need typed values.
    assert len(struck) > 15, sorted(struck)
    assert problems == [], "\n".join(problems)

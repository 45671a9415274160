"""A writing call whose transaction PostgreSQL aborts in a conflict is repeated, and done once.

The last statement that a call writes ends in a deadlock: the answer and all tables are the same as
without it. If every try ends like that, the answer is 503, and all tables are unchanged.
"""

from __future__ import annotations

import pytest
from zeal import zeal_ignore

from erpbridge.db import busy
from tests.db import conflicts
from tests.every_call import writes
from tests.every_call.test_refusals import nothing_but_errors, send
from tests.every_call.writes import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.shared]
ALWAYS = 10**6
# Several tests, so that no test takes half a minute.
PARTS = 3


@pytest.fixture
def scene(all_segments, account, ada, monkeypatch) -> Scene:
    monkeypatch.setattr(busy, "FIRST_REST", 0.0)
    return Scene(account, ada)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_writing_call_is_done_again_after_a_conflict(scene, api, part):
    problems = []
    with zeal_ignore(), conflicts.conflicts():
        columns = conflicts.columns()
        before = conflicts.contents(columns)
        for operation in writes.distinct()[part::PARTS]:
            call = scene.call(operation)
            with conflicts.taken_back():
                conflicts.arm(0, 0)
                usual = send(scene, api, operation, call)
                count = conflicts.written()
                wanted = conflicts.contents(columns)
            with conflicts.taken_back():
                conflicts.arm(count, count)
                answer = send(scene, api, operation, call)
                problems += [f"{operation}: not struck"] * (conflicts.written() <= count > 0)
                differences = conflicts.differing(wanted, conflicts.contents(columns))
            if answer.status_code != usual.status_code or nothing_but_errors(answer) or differences:
                problems.append(
                    f"{operation}: {answer.status_code} {answer.content[:200]!r} {differences}"
                )
            with conflicts.taken_back():
                conflicts.arm(1, ALWAYS)
                refused = send(scene, api, operation, call)
                left = conflicts.differing(before, conflicts.contents(columns))
            given_up = (refused.status_code, refused.get("Retry-After")) == (503, "5")
            if left or given_up != bool(count):
                problems.append(f"{operation} for ever: {refused.status_code} {left}")
    assert problems == [], "\n".join(problems)

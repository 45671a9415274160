"""What the ERP has under the key of a create before it is sent is kept as the ERP said it.

A record that is found later is ours only if nothing was there before, so more than one record under
the key must never be remembered as none.
"""

from __future__ import annotations

import pytest

from erp_integrations.adapters.base import Ambiguous, Found, InboundAsk, Seen
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.connections import adapter_loading
from erp_integrations.export import settle
from erp_integrations.export.claim import claim
from erp_integrations.export.delivery import polled
from erp_integrations.models import Attempt
from erp_integrations.models.states import State
from erpbridge.outgoing.uptime import uptime
from tests.erp_integrations import steps

ONE = Found("7", "QUARRY01", "1", {"name": "Somebody Else"})


def by_a_worker(connection, record, monkeypatch) -> int:
    """Look, as before anything is submitted; returns how many may be sent."""
    monkeypatch.setattr(SimulatorAdapter, "find_many", lambda *_asked: [record])
    adapter, manifest = (
        adapter_loading.adapter_of(connection),
        adapter_loading.manifest_of(connection),
    )
    since = uptime()
    claims = claim(connection, manifest)
    refused = steps.look(adapter, manifest, claims, since=since)
    settle.settle(connection, manifest, refused)
    return len(claims) - len(refused)


def by_an_erp_that_asks(connection, record, _monkeypatch) -> int:
    """Ask the ERP, which answers; returns how many commands it is given."""
    steps.change_config(connection, delivery="polled")
    adapter, manifest = (
        adapter_loading.adapter_of(connection),
        adapter_loading.manifest_of(connection),
    )
    (question,) = polled._batch(connection, manifest, InboundAsk(take=5), []).looks
    seen = [Seen(question.ticket, record)]
    return len(polled.take_answers(connection, adapter, manifest, seen))


@pytest.mark.parametrize("look", [by_a_worker, by_an_erp_that_asks])
@pytest.mark.parametrize(
    ("record", "kept", "may_go"),
    [(None, "absent", 1), (ONE, "present", 0), (Ambiguous(("7", "8")), "present", 0)],
    ids=["none", "one", "several"],
)
def test_what_was_there_before_is_remembered_and_decides(
    connection, accepted_item, monkeypatch, look, record, kept, may_go
):
    assert look(connection, record, monkeypatch) == may_go
    attempt = Attempt.objects.get()
    assert (attempt.first_look, attempt.erp_id) == (kept, "7" if record is ONE else "")
    accepted_item.refresh_from_db()
    assert accepted_item.state == (State.SENDING if may_go else State.FAILED)

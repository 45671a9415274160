"""Numbers of docs/design/export-protocol.md, "Pacing", and others that operators know.

A change of one is said here too.
"""

from __future__ import annotations

import pytest

from erp_integrations.connections import safe_adapter
from erp_integrations.export import (
    backoff,
    circuit_breaker,
    engine,
    lease_recovery,
    settle,
    uncertain_lookup,
)
from erp_integrations.export.delivery import polled, queued
from erp_integrations.models import querysets
from erpbridge.db import batches

NUMBERS = {
    circuit_breaker: {
        "PROBE": 60,
        "THROTTLE_WAIT": 5,
        "BREAKER_AFTER": 5,
        "BREAKER_FIRST_WAIT": 30,
        "LONGEST_WAIT": 15 * 60,
    },
    engine: {"BUDGET": 20, "FAIR_SHARE": 1, "LATER": 6},
    safe_adapter: {
        "LONGEST_ID": 200,
        "LONGEST_GROUP": 50,
        "LONGEST_WAIT": 24 * 60 * 60,
        "LONGEST_MESSAGE": 2_000,
        "LONGEST_ANSWER": 100_000,
    },
    polled: {"MOST_BODY": 1_048_576, "MOST_TAKEN": 200},
    batches: {"CHUNK": 500},
    settle: {"EXCERPT": 2_000},
    uncertain_lookup: {"MOST_LOOKS": 8},
    backoff: {
        "LONGEST_WAIT": 15 * 60,
        "MOST_ATTEMPTS": 8,
    },
    queued: {"MOST_AT_ONCE": 50},
    querysets: {"MOST_COUNTED": 1_000},
    lease_recovery: {"PERIOD": 10, "LATER": 6},
}


@pytest.mark.parametrize("module", NUMBERS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_numbers_of_the_engine_are_these(module):
    written = {name: value for name, value in vars(module).items() if name.isupper()}
    numbers = {name: value for name, value in written.items() if type(value) in (int, float)}
    assert numbers == NUMBERS[module]

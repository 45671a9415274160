"""When a run of the campaign counts as passed."""

from dataclasses import replace

import pytest

from tests.faults.campaign.controls import CONTROLS
from tests.faults.campaign.machine import ALL
from tests.faults.campaign.table import Row

GOOD = Row(
    fault="ERP down",
    items=2,
    synced=2,
    person=0,
    lost=0,
    doubled=0,
    stuck=0,
    wrong=0,
    misplaced=0,
    deaths=0,
    seconds=9,
    by_itself=0,
    happened=True,
)


def test_a_run_in_which_everything_arrived_once_is_good():
    assert GOOD.ok
    assert str(GOOD).endswith("  ok")


@pytest.mark.parametrize("column", ["lost", "doubled", "stuck", "wrong", "misplaced", "by_itself"])
def test_a_run_with_one_of_these_is_not(column):
    row = replace(GOOD, **{column: 1})
    assert not row.ok
    assert "FAILED" in str(row)


def test_a_run_whose_fault_did_not_strike_is_not():
    row = replace(GOOD, happened=False)
    assert not row.ok
    assert str(row).endswith("FAILED: the fault did not strike")


def test_a_process_that_ended_by_itself_is_named_in_the_row():
    assert str(replace(GOOD, deaths=1, by_itself=1)).endswith("FAILED: a process ended by itself")


def test_every_control_takes_a_fault_of_the_campaign():
    assert {fault for _safeguard, fault in CONTROLS} <= {kind.name for kind in ALL}

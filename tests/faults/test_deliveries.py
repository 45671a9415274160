"""A short form of the fault campaign, into the simulator in every delivery."""

import pytest

from tests.faults.campaign.command import campaign

pytestmark = pytest.mark.shared


def test_nothing_is_lost_doubled_or_stuck_in_any_delivery_of_the_simulator():
    deliveries = ["sync", "queued", "polled", "file"]
    process = campaign(
        "--erp", "simulator", "--items", "20", "--only", "ERP applied", "--delivery", *deliveries
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert [f"delivery {delivery}\n" in process.stdout for delivery in deliveries] == [True] * 4
    assert process.stdout.count("  ok\n") == 4


def test_what_makes_no_sense_in_a_delivery_is_left_out_with_the_reason():
    process = campaign(
        "--erp", "simulator", "--items", "5", "--only", "throttles", "--delivery", "file"
    )
    assert "left out: a person carries the file, and waits for no answer" in process.stdout
    # Nothing ran, so nothing was proved.
    assert process.returncode == 1

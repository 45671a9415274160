"""A short form of the fault campaign, into a real Tryton on servers of its own."""

import pytest

from tests.faults.campaign.command import campaign

pytestmark = pytest.mark.shared


def test_nothing_is_lost_doubled_or_stuck_whatever_dies():
    process = campaign("--short", "--items", "30")
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("  ok\n") == 7

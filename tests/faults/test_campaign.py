"""A short form of the fault campaign, into a real Tryton on servers of its own."""

import pytest

from tests.faults.campaign.command import campaign

pytestmark = pytest.mark.shared


def test_nothing_is_lost_doubled_or_stuck_whatever_dies():
    done = campaign("--short", "--items", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok\n") == 7

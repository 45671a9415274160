"""The verdict of the fault campaign with one safeguard removed at a time."""

import pytest

from tests.faults.campaign.command import campaign
from tests.faults.campaign.controls import SAFEGUARDS

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def controls() -> str:
    """The verdicts of the campaign, with one safeguard removed at a time."""
    process = campaign("--controls")
    assert "FAILED" in process.stdout, process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_what_a_safeguard_is_there_for_shows_without_it(controls, safeguard):
    assert f"without {safeguard}: noticed" in controls, controls
    assert f"without {safeguard}: NOT NOTICED" not in controls, controls

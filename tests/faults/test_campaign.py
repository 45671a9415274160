"""Short forms of the fault campaign, on servers of its own: into a real Tryton, and into the
simulator in every delivery."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.shared


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as its users do, away from the database of this test run."""
    mine = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "ERPBRIDGE_DATA_DIR"}
    env = {name: value for name, value in os.environ.items() if name not in mine}
    command = [sys.executable, "-m", "tests.faults", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False
    )


def test_nothing_is_lost_doubled_or_stuck_whatever_dies():
    done = campaign("--short", "--items", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok\n") == 7


@pytest.fixture(scope="module")
def controls() -> str:
    """What the campaign says with one safeguard taken away at a time."""
    done = campaign("--controls")
    assert "FAILED" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "safeguard", ["clock", "look", "fence", "identity", "deadline", "parent", "key"]
)
def test_what_a_safeguard_is_there_for_shows_without_it(controls, safeguard):
    assert f"without {safeguard}: noticed" in controls, controls
    assert f"without {safeguard}: NOT NOTICED" not in controls, controls


def test_nothing_is_lost_doubled_or_stuck_in_any_delivery_of_the_simulator():
    deliveries = ["sync", "queued", "polled", "file"]
    done = campaign(
        "--erp", "simulator", "--items", "20", "--only", "ERP applied", "--delivery", *deliveries
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [f"delivery {one}\n" in done.stdout for one in deliveries] == [True] * 4
    assert done.stdout.count("  ok\n") == 4


def test_what_makes_no_sense_in_a_delivery_is_left_out_with_the_reason():
    done = campaign(
        "--erp", "simulator", "--items", "5", "--only", "throttles", "--delivery", "file"
    )
    assert "left out: a person carries the file, and waits for no answer" in done.stdout
    # Nothing ran, so nothing was shown.
    assert done.returncode == 1

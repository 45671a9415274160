"""The short form of the fault campaign, on servers of its own and a real Tryton."""

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
    command = [sys.executable, "-m", "tests.faults", "--items", "40", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False
    )


def test_nothing_is_lost_doubled_or_stuck_whatever_dies():
    done = campaign("--short")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok") == 3


def test_without_the_look_before_sending_again_the_campaign_reports_what_is_wrong():
    done = campaign("--only", "loses its answer", "--without", "look")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout

"""The campaign as a command."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.programs import ROOT


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without the database of this test run."""
    own_settings = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "ERPBRIDGE_DATA_DIR"}
    env = {name: value for name, value in os.environ.items() if name not in own_settings}
    command = [sys.executable, "-m", "tests.faults", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False
    )

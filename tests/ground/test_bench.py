"""The benchmarks run; how fast they are is nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"list_of_companies", "send_and_accept", "list_of_items", "export"}


def test_every_benchmark_reports_a_ratio_and_leaves_the_installations_data_alone(tmp_path):
    report, data = tmp_path / "results" / "bench.json", tmp_path / "data"
    command = [sys.executable, "-m", "bench", "--small", "--output", str(report)]
    environment = {**os.environ, "ERPBRIDGE_DATA_DIR": str(data)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not data.exists()
    found = json.loads(report.read_text())["benchmarks"]
    assert {one["name"] for one in found} == NAMES
    for one in found:
        assert one["ratio"] > 0
        assert {one["baseline"], one["measured"]} <= set(one["seconds"])
        assert one["what"] in done.stdout

"""The benchmarks run; their speed is not tested here."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from bench.measure import Aim, Result
from bench.places import ALONE, BENCHMARKS, SHARED
from tests.programs import wait_for

ROOT = Path(__file__).resolve().parents[2]
# Benchmarks of one test.
GROUP = 3


def bench(*arguments, **environment):
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def groups():
    """Place and names of a few benchmarks; all together are one long test."""
    for place, marks in ((ALONE, ()), (SHARED, pytest.mark.shared)):
        names = [name for name, (its_place, *_) in BENCHMARKS.items() if its_place == place]
        for first in range(0, len(names), GROUP):
            yield pytest.param(place, names[first : first + GROUP], marks=marks)


@pytest.mark.parametrize(("place", "names"), list(groups()))
def test_every_benchmark_reports_ratios_and_leaves_the_installations_data_alone(
    place, names, tmp_path
):
    report, data = tmp_path / "results" / "bench.json", tmp_path / "data"
    done = bench("--small", "--output", str(report), *names, ERPBRIDGE_DATA_DIR=str(data))
    assert done.returncode == 0, done.stderr
    assert not data.exists()
    benchmarks = json.loads(report.read_text())["benchmarks"]
    assert [benchmark["name"] for benchmark in benchmarks] == names
    for benchmark in benchmarks:
        assert benchmark["place"] == place
        assert min(benchmark["figures"].values()) > 0
        assert set(benchmark["ratios"]) == set(benchmark["figures"]) - {benchmark["baseline"]}
        assert benchmark["ratio"] == benchmark["ratios"][benchmark["measured"]]
        assert set(benchmark["aims"]) <= set(benchmark["ratios"])
        assert benchmark["what"] in done.stdout


@pytest.mark.shared
def test_its_servers_end_with_it_when_it_is_told_to_end(tmp_path):
    mark = {"PGAPPNAME": f"bench-{uuid.uuid4()}"}
    command = [
        sys.executable,
        "-m",
        "bench",
        "throughput",
        "--output",
        str(tmp_path / "bench.json"),
    ]
    program = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **mark})
    wait_for(lambda: any("celery" in command for command in commands_with(mark)), program=program)
    program.terminate()
    assert program.wait(timeout=60) == 128 + signal.SIGTERM
    assert commands_with(mark) == []


def commands_with(mark):
    """The commands of the processes that inherited the mark."""
    commands = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if mark.items() <= process.environ().items():
                commands.append(" ".join(process.cmdline()))
    return commands


def test_a_ratio_is_to_the_baseline_and_is_held_against_its_aim():
    aims = {"fast": Aim(least=3), "slow": Aim(most=0.4)}
    figures = {"plain": 2.0, "fast": 6.0, "slow": 1.0}
    benchmark = Result("one", "One", "plain", "fast", figures, unit="/s", aims=aims).as_json()
    assert benchmark["ratio"] == 3.0
    assert benchmark["ratios"] == {"fast": 3.0, "slow": 0.5}
    assert benchmark["aims"]["fast"] == {"is": "at least 3", "met": True}
    assert benchmark["aims"]["slow"] == {"is": "at most 0.4", "met": False}


def test_a_benchmark_that_there_is_not_is_named(tmp_path):
    done = bench("export", "lunch", "--output", str(tmp_path / "bench.json"))
    assert done.returncode == 2
    assert "There is no benchmark lunch." in done.stderr

"""A process whose wall clock is set while it runs."""

import os
import subprocess
import sys
import time

import pytest

from tests.faults.campaign.servers import moved_clock, set_clock
from tests.programs import ROOT

pytestmark = pytest.mark.shared

SLEEPS = """
import time
from tests.faults.campaign import worker

worker.sleep_under_a_moved_clock()
began = time.monotonic()
time.sleep(0.1)
print(time.time(), time.monotonic() - began)
"""
COMPUTES = """
import resource, threading

def work():
    for _ in range(300):
        sum(range(10_000))

threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw)
"""


@pytest.fixture
def printed(tmp_path):
    """The output of a program whose clock is an hour behind."""
    set_clock(tmp_path, -3_600)
    env = {**os.environ, **moved_clock(tmp_path)}

    def printed(program: str) -> list[float]:
        command = [sys.executable, "-c", program]
        said = subprocess.check_output(command, cwd=ROOT, env=env, text=True)
        return [float(word) for word in said.split()]

    return printed


def test_it_sleeps_as_long_as_it_wants_to(printed):
    wall, slept = printed(SLEEPS)
    assert time.time() - wall == pytest.approx(3_600, abs=60)
    assert 0.1 <= slept < 10


def test_its_threads_do_not_interrupt_each_other_all_the_time(printed):
    (interruptions,) = printed(COMPUTES)
    assert interruptions < 1_000

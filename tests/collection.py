"""Are the names of the tests the same in every process? ``python -m tests.collection [PATH]``

Two processes collect the tests at the same time: one as it is, one with another hash seed, in
another year, and refused to make any archive or picture. Both have to list the same tests in the
same order, or two processes of ``pytest -n 2`` end with "Different tests were collected".
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
import time_machine
from PIL import Image

ANOTHER_TIME = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
COLLECT = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly"]


def _refuse(*_args: Any, **_options: Any) -> None:
    raise RuntimeError("This file is made while tests are collected; make it in a fixture.")


class ReadOnlyZipFile(zipfile.ZipFile):
    """Opens archives, makes none."""

    def __init__(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> None:
        if mode != "r":
            _refuse()
        super().__init__(file, mode, *args, **options)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collects in another year, and without made files; loaded with ``-p tests.collection``."""
    with (
        time_machine.travel(ANOTHER_TIME, tick=True),
        mock.patch("zipfile.ZipFile", ReadOnlyZipFile),
        mock.patch("openpyxl.writer.excel.ZipFile", ReadOnlyZipFile),
        mock.patch.object(Image.Image, "save", _refuse),
    ):
        return (yield)


def start(hash_seed: str, *options: str) -> subprocess.Popen[str]:
    """A process that lists the tests."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(
        [*COLLECT, *options], env=environment, stdout=subprocess.PIPE, text=True
    )


def main(*paths: str) -> int:
    """0 when both processes list the same tests; prints what differs."""
    processes = [start("1", *paths), start("2", "-p", "tests.collection", *paths)]
    outputs = [process.communicate()[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode:
            print(output[-5_000:])
            return 1
    lists = [[line for line in output.splitlines() if "::" in line] for output in outputs]
    changes = difflib.unified_diff(*lists, "as it is", "in another process", lineterm="", n=0)
    if lines := list(changes):
        print("Names of tests depend on more than the source:", *lines[:40], sep="\n")
        return 1
    print(f"{len(lists[0])} tests, the same in both processes.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""A pytest plugin that imports one module from another source: ``ERPBRIDGE_MUTANT=MODULE=FILE``.

The name of the failed test is written to a file beside it.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from typing import Any

import pytest

PLACE = "ERPBRIDGE_MUTANT"
FAILED = "failed.txt"


class Swapped(SourceLoader):
    """Loads a source under the path of another one."""

    def __init__(self, source: Path, path: str) -> None:
        self.source, self.path = source, path

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str) -> bytes:
        # The loader also asks for a compiled file, which must not exist.
        if path != self.path:
            raise OSError(path)
        return self.source.read_bytes()


class Finder(MetaPathFinder):
    """Finds the mutated module."""

    def __init__(self, module: str, source: Path) -> None:
        self.module, self.source = module, source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        file = Path(f"{fullname.replace('.', '/')}.py").absolute()
        return spec_from_loader(fullname, Swapped(self.source, str(file)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        Path(os.environ[PLACE].partition("=")[2]).with_name(FAILED).write_text(report.nodeid)


if PLACE in os.environ:
    name, _, file = os.environ[PLACE].partition("=")
    sys.meta_path.insert(0, Finder(name, Path(file)))

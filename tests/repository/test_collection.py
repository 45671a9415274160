"""The check that two processes collect the same test names finds every kind of difference."""

from __future__ import annotations

from pathlib import Path

from tests import collection

DIFFERENT_NAMES = """
import datetime, random, pytest

@pytest.mark.parametrize("name", [datetime.datetime.now().isoformat()])
def test_time(name): ...

@pytest.mark.parametrize("name", [str(random.getrandbits(64))])
def test_random(name): ...

@pytest.mark.parametrize("name", {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"})
def test_set(name): ...

@pytest.mark.parametrize("name", ["x", "y"])
def test_source(name): ...
"""
MADE_FILE = """
import io, zipfile

zipfile.ZipFile(io.BytesIO(), "w")

def test_archive(): ...
"""


def collect(folder: Path, source: str) -> int:
    (folder / "test_names.py").write_text(source)
    return collection.main(str(folder))


def test_names_that_depend_on_more_than_the_source_are_shown(tmp_path, capsys):
    assert collect(tmp_path, DIFFERENT_NAMES) == 1
    output = capsys.readouterr().out
    assert "Names of tests depend on more than the source" in output
    assert all(f"::test_{what}" in output for what in ["time", "random", "set"])
    assert "::test_source" not in output


def test_a_file_made_while_tests_are_collected_is_refused(tmp_path, capsys):
    assert collect(tmp_path, MADE_FILE) == 1
    assert "make it in a fixture" in capsys.readouterr().out

"""The example of a third party's adapter is built, installed and run, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "erpbridge-csv-ledger"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated"]
FIND = """
from erp_integrations.adapters import registry
found = registry.adapter_class("csv-ledger", ["simulator", "csv-ledger"])
print(found.manifest({}).label, found.__module__)
"""


def run(*command: str | Path, at: Path, path: Path | None = None) -> str:
    places = [str(place) for place in (path, ROOT) if place]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=at,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example was installed from its wheel."""
    place = tmp_path_factory.mktemp("example")
    source = place / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    offline = ["--no-deps", "--no-index"]
    run(*PIP, "wheel", *offline, "--no-build-isolation", "-w", place, source, at=place)
    (wheel,) = place.glob("*.whl")
    run(*PIP, "install", *offline, "--target", place / "installed", wheel, at=place)
    return place / "installed"


def test_registry_finds_the_installed_adapter(installed: Path):
    said = run(sys.executable, "-c", FIND, at=installed.parent, path=installed)
    assert said.split() == ["CSV", "ledger", "erpbridge_csv_ledger.adapter"]


def test_the_installed_adapter_passes_the_kit_and_says_what_it_could_not_show(installed: Path):
    tests = installed.parent / "source"
    shutil.rmtree(tests / "erpbridge_csv_ledger", ignore_errors=True)
    plugins = ["-p", "no:django", "-p", "no:randomly", "-p", "no:cacheprovider"]
    said = run(sys.executable, "-m", "pytest", "-q", *plugins, at=tests, path=installed)
    assert "could not be shown" in said
    assert "A file has no login." in said
    (count,) = re.findall(r"^(\d+) cases could not be shown\.$", said, re.M)
    assert f"{count} skipped" in said
    assert "failed" not in said

"""The examples of a third party's adapter are built, installed and run, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Package -> what its run of the kit says that it cannot show.
EXAMPLES = {
    "csv-ledger": ["A file has no login.", "A file does not ask for patience."],
    "http-ledger": [],
}
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated"]
FIND = """
import sys
from erp_integrations.adapters import registry
found = registry.adapter_class(sys.argv[1], ["simulator", sys.argv[1]])
print(found.manifest({}).key, found.__module__)
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


class Installed(NamedTuple):
    """An example: its key, a copy of its source, and the folder into which it was installed."""

    key: str
    source: Path
    folder: Path

    @property
    def package(self) -> str:
        return f"erpbridge_{self.key.replace('-', '_')}"


@pytest.fixture(scope="module", params=EXAMPLES)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """An example, installed from its wheel."""
    place = tmp_path_factory.mktemp("example")
    example = Installed(request.param, place / "source", place / "installed")
    shutil.copytree(
        ROOT / "examples" / f"erpbridge-{request.param}",
        example.source,
        ignore=shutil.ignore_patterns("build", "*.egg-info"),
    )
    offline = ["--no-deps", "--no-index"]
    run(*PIP, "wheel", *offline, "--no-build-isolation", "-w", place, example.source, at=place)
    (wheel,) = place.glob("*.whl")
    run(*PIP, "install", *offline, "--target", example.folder, wheel, at=place)
    # What is tested is what was installed.
    shutil.rmtree(example.source / example.package)
    return example


def test_registry_finds_the_installed_adapter(installed: Installed):
    said = run(sys.executable, "-c", FIND, installed.key, at=ROOT, path=installed.folder)
    assert said.split() == [installed.key, f"{installed.package}.adapter"]


def test_the_installed_adapter_passes_the_kit_and_says_what_it_could_not_show(
    installed: Installed,
):
    plugins = ["-p", "no:django", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins]
    said = run(*command, at=installed.source, path=installed.folder)
    assert "failed" not in said
    reasons = EXAMPLES[installed.key]
    assert ("could not be shown" in said) == bool(reasons)
    assert [reason for reason in reasons if reason not in said] == []
    for count in re.findall(r"^(\d+) cases could not be shown\.$", said, re.M):
        assert f"{count} skipped" in said

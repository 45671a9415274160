"""Files of the installation are for its own user, and a full disk is reported early."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from erpbridge import env
from erpbridge.processes import private_files


@pytest.fixture
def database_at(monkeypatch, settings):
    """Set the path of the SQLite file, for code that never opens it."""

    def at(path: Path) -> None:
        for name, value in env.sqlite(str(path)).items():
            monkeypatch.setitem(settings.DATABASES["default"], name, value)

    return at


@pytest.fixture
def place(tmp_path, settings, database_at) -> Path:
    """A data folder with a database, as it is after a start."""
    settings.DATA_DIR = tmp_path / "var"
    settings.DATA_DIR.mkdir(mode=0o700)
    database_at(settings.DATA_DIR / "erpbridge.sqlite3")
    for name in ("erpbridge.sqlite3-wal", "erpbridge.sqlite3-shm", "secret-key", "field-key"):
        (settings.DATA_DIR / name).touch(mode=0o600)
    return settings.DATA_DIR


def test_a_database_is_made_for_its_owner_only(place):
    assert (place / "erpbridge.sqlite3").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_is_told_when_the_database_is_opened(tmp_path):
    assert env.sqlite(str(tmp_path / "none" / "x.sqlite3"))["NAME"]


def test_nothing_is_said_of_files_that_are_closed_to_others(place):
    assert private_files.check_modes() == []


@pytest.mark.parametrize(
    ("name", "mode", "right"),
    [
        (".", 0o755, "700"),
        (".", 0o710, "700"),
        ("erpbridge.sqlite3", 0o644, "600"),
        ("erpbridge.sqlite3-wal", 0o640, "600"),
        ("erpbridge.sqlite3-shm", 0o602, "600"),
        ("secret-key", 0o604, "600"),
        ("field-key", 0o644, "600"),
    ],
)
def test_what_is_open_to_others_is_said_with_the_command_that_closes_it(name, mode, right, place):
    (place / name).chmod(mode)
    (warning,) = private_files.check_modes()
    assert f"(mode {mode:o})" in warning.msg
    assert warning.hint == f"chmod {right} {place / name}"


def test_the_folder_of_a_database_elsewhere_is_said_with_what_to_do(place, database_at, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    folder.chmod(0o755)
    database_at(folder / "x.sqlite3")
    (warning,) = private_files.check_modes()
    assert warning.msg == f"{folder} can be read by other users of this machine (mode 755)."
    assert f"chmod 700 {folder}, if it contains only the database" in warning.hint
    assert "folder of its own with mode 700" in warning.hint
    folder.chmod(0o700)
    assert private_files.check_modes() == []


def test_a_folder_of_the_data_folder_is_closed_by_that(place, database_at):
    (place / "database").mkdir()
    (place / "database").chmod(0o755)
    database_at(place / "database" / "x.sqlite3")
    assert private_files.check_modes() == []


def test_every_command_says_it(place, capsys):
    place.chmod(0o755)
    call_command("check")
    assert "can be read by other users of this machine" in capsys.readouterr().err


def test_an_upload_is_for_its_owner_only(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    path = Path(default_storage.path(default_storage.save("logos/a.png", ContentFile(b"x"))))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


# --- room -------------------------------------------------------------------------------------


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow, which is what a full disk does to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_nothing_is_told(place):
    assert private_files.disk_problem() is None
    with full_disk():
        assert private_files.disk_problem() == "cannot be written: File too large"
    assert [path.name for path in place.iterdir() if path.name.startswith("readyz")] == []


def test_a_disk_that_takes_nothing_takes_the_process_out_of_service(client, db, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["disk"] == "cannot be written: No such file or directory"


def test_the_folder_of_a_database_elsewhere_is_asked_too(place, database_at, tmp_path):
    database_at(tmp_path / "elsewhere" / "x.sqlite3")
    assert private_files.disk_problem() == "cannot be written: No such file or directory"


def test_little_room_is_told_while_pages_go_on(client, db, monkeypatch):
    monkeypatch.setattr(private_files, "LITTLE", 2**60)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["space"] == f"only {answer.json()['free_megabytes']} MB are free"

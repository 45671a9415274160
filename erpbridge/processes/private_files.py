"""Files that only the user of the processes may read, and whether there is room for more."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning

# Of the processes that serve and export: others may neither read nor change what they write.
UMASK = 0o077
KEYS = ("secret-key", "field-key")
# As much as several uploads of the largest size.
LITTLE = 100 * 1024 * 1024
PROBE = b"\0" * 65_536


def check_modes(**_how: Any) -> list[CheckMessage]:
    """A system check: what others on this machine may read, though nobody but us has to."""
    return [
        Warning(
            f"{path} is open to others on this machine (mode {mode & 0o777:o}).",
            hint=hint,
            id="erpbridge.W001",
        )
        for path, hint in [*_to_close(), *_to_move()]
        if path.exists() and (mode := path.stat().st_mode) & UMASK
    ]


def _to_close() -> Iterator[tuple[Path, str]]:
    """Each with the command that closes it."""
    for path in _private():
        yield path, f"chmod {700 if path.is_dir() else 600} {path}"


def _to_move() -> Iterator[tuple[Path, str]]:
    """The folder of a database that lies elsewhere: whoever may write there can put another file
    in its place. What else it holds only the operator knows.
    """
    file = _database_file()
    if (
        file is not None
        and file.is_file()
        and not file.resolve().is_relative_to(settings.DATA_DIR.resolve())
    ):
        hint = (
            f"chmod 700 {file.parent}, if the database is all that it holds; else move the "
            "database into a folder of its own with mode 700, and change DATABASE_URL."
        )
        yield file.parent, hint


def _private() -> Iterator[Path]:
    """The data folder, whose mode keeps what is in it, and what holds most, wherever it lies."""
    yield settings.DATA_DIR
    yield from (settings.DATA_DIR / name for name in KEYS)
    if (file := _database_file()) is not None:
        yield from (file.with_name(f"{file.name}{suffix}") for suffix in ("", "-wal", "-shm"))


def _database_file() -> Path | None:
    """SQLite's; none where another server keeps the data."""
    database = settings.DATABASES["default"]
    return Path(str(database["NAME"])) if "sqlite3" in str(database["ENGINE"]) else None


def folders() -> list[Path]:
    """Where the processes write."""
    found = [Path(settings.DATA_DIR)]
    if (file := _database_file()) is not None:
        found.append(file.parent)
    return list(dict.fromkeys(found))


def disk_problem() -> str:
    """Why nothing can be written, empty where it can: a full disk, a quota, a read-only one."""
    for folder in folders():
        try:
            with tempfile.TemporaryFile(dir=folder, prefix="readyz-") as file:
                file.write(PROBE)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return f"cannot be written: {os.strerror(error.errno or 0)}"
    return ""


def space_report() -> tuple[str, dict[str, Any]]:
    """That room is running out; and how much there is."""
    free = min(_free(folder) for folder in folders())
    megabytes = free // 1024 // 1024
    problem = f"only {megabytes} MB are free" if free < LITTLE else ""
    return problem, {"free_megabytes": megabytes}


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0

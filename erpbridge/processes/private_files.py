"""File modes of private files, and free disk space."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Warning

# For the processes that serve and export: other users may not read or change their files.
UMASK = 0o077
KEYS = ("secret-key", "field-key")
# Bytes; room for several uploads of the largest size.
LITTLE = 100 * 1024 * 1024
# Larger than a disk block, so that writing it needs free space.
PROBE = b"\0" * 65_536


def check_modes(**_options: object) -> list[CheckMessage]:
    """System check: warn of files that other users of this machine can read."""
    return [
        Warning(
            f"{path} can be read by other users of this machine (mode {mode & 0o777:o}).",
            hint=hint,
            id="erpbridge.W001",
        )
        for path, hint in [*_to_close(), *_to_move()]
        if path.exists() and (mode := path.stat().st_mode) & UMASK
    ]


def _to_close() -> Iterator[tuple[Path, str]]:
    """Yield the private paths, each with the command that closes it."""
    for path in _private():
        yield path, f"chmod {700 if path.is_dir() else 600} {path}"


def _to_move() -> Iterator[tuple[Path, str]]:
    """Yield the folder of a database outside the data folder.

    Whoever can write there can replace the file, but the folder may have other contents as well.
    """
    file = _database_file()
    if (
        file is not None
        and file.is_file()
        and not file.resolve().is_relative_to(settings.DATA_DIR.resolve())
    ):
        hint = (
            f"chmod 700 {file.parent}, if it contains only the database. Otherwise move the "
            "database into a folder of its own with mode 700, and change DATABASE_URL."
        )
        yield file.parent, hint


def _private() -> Iterator[Path]:
    """Yield the data folder, which protects its contents, and the most sensitive files."""
    yield settings.DATA_DIR
    yield from (settings.DATA_DIR / name for name in KEYS)
    if (file := _database_file()) is not None:
        yield from (file.with_name(f"{file.name}{suffix}") for suffix in ("", "-wal", "-shm"))


def _database_file() -> Path | None:
    """Return the SQLite file; None for another database."""
    database = settings.DATABASES["default"]
    return Path(str(database["NAME"])) if "sqlite3" in str(database["ENGINE"]) else None


def folders() -> list[Path]:
    """Return the folders that the processes write to."""
    paths = [Path(settings.DATA_DIR)]
    if (file := _database_file()) is not None:
        paths.append(file.parent)
    return list(dict.fromkeys(paths))


def disk_problem() -> str | None:
    """Return why nothing can be written (disk full, quota, read-only); None if it can."""
    for folder in folders():
        try:
            with tempfile.TemporaryFile(dir=folder, prefix="readyz-") as file:
                file.write(PROBE)
                file.flush()
                # Quotas and full disks may only be reported when data is written back.
                os.fsync(file.fileno())
        except OSError as error:
            return f"cannot be written: {os.strerror(error.errno or 0)}"
    return None


def space_report() -> tuple[str | None, dict[str, object]]:
    """Return a problem if disk space is low, and the free megabytes."""
    free = min(_free(folder) for folder in folders())
    megabytes = free // 1024 // 1024
    problem = f"only {megabytes} MB are free" if free < LITTLE else None
    return problem, {"free_megabytes": megabytes}


def _free(folder: Path) -> int:
    try:
        # The space that this user can write, which is less than what is free for root.
        return shutil.disk_usage(folder).free
    except OSError:
        return 0

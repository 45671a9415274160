"""A migrated SQLite database to start from, so that a run of one test need not migrate first.

Kept in ``var/``, under a name made of the migrations and of the installed packages. A clean
checkout has none, so that its first run migrates from nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "test-databases"
PACKAGES = ["erpbridge", "directory", "admin_wbs", "erp_integrations"]


def template() -> Path:
    """Where the template of today's migrations is, or would be."""
    migrations = [
        path for package in PACKAGES for path in (ROOT / package).glob("**/migrations/*.py")
    ]
    digest = hashlib.sha256()
    for path in [ROOT / "requirements-dev.lock", *sorted(migrations)]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return FOLDER / f"{digest.hexdigest()[:16]}.sqlite3"


def copy_to(database: Path) -> bool:
    """Start ``database`` as a copy of the template; False: there is none."""
    source = template()
    if source.exists():
        shutil.copyfile(source, database)
    return source.exists()


def keep(database: Path) -> None:
    """Make ``database``, just migrated, the template of later runs; drop older templates."""
    target = template()
    FOLDER.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", [str(draft)])
    draft.replace(target)
    for older in FOLDER.glob("*.sqlite3"):
        if older != target:
            older.unlink(missing_ok=True)

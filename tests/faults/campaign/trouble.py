"""Trouble as files: one process creates them, another takes each of them once."""

from __future__ import annotations

import uuid
from pathlib import Path


def make_trouble(folder: Path, kind: str, times: int) -> None:
    """Let this kind happen so many times."""
    folder.mkdir(exist_ok=True)
    for _ in range(times):
        (folder / f"{kind}.{uuid.uuid4().hex}").touch()


def take_trouble(folder: Path, kind: str) -> bool:
    """Whether this kind shall happen now; of all processes that ask, only one takes each file."""
    for file in folder.glob(f"{kind}.*"):
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        return True
    return False

"""Files of what calls do: for each call a block, which begins with a line that is not indented.

A test compares every ``PARTS``-th block, so that none takes half a minute.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PARTS = 3


def compare(path: Path, part: int, told: Sequence[Sequence[str]], *, of: int, anew: str) -> None:
    """Hold the blocks of a part against the file.

    :param of: how many blocks all parts have together.
    :param anew: the environment variable by whose value ``anew`` they are written instead.
    """
    blocks = read(path)
    if os.environ.get(anew) == "anew":
        # The test of each part writes its own; together they write all.
        blocks = [*blocks, *([] for _ in range(of))][:of]
        blocks[part::PARTS] = map(list, told)
        path.write_text("".join(f"{line}\n" for block in blocks for line in block))
    assert [line for block in told for line in block] == [
        line for block in blocks[part::PARTS] for line in block
    ]
    assert len(blocks) == of


def read(path: Path) -> list[list[str]]:
    blocks: list[list[str]] = []
    for line in path.read_text().splitlines():
        if not line.startswith(" "):
            blocks.append([])
        blocks[-1].append(line)
    return blocks

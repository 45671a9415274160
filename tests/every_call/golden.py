"""Files that show what calls do: a block per call, which begins with a line that is not indented.

A test compares every ``PARTS``-th block, so that no test takes half a minute.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PARTS = 3


def compare(
    path: Path, part: int, part_blocks: Sequence[Sequence[str]], *, of: int, anew: str
) -> None:
    """Compare the blocks of a part with the file.

    :param of: how many blocks all parts have together.
    :param anew: the environment variable that, set to ``anew``, writes them to the file instead.
    """
    blocks = read(path)
    if os.environ.get(anew) == "anew":
        # The test of each part writes its own blocks; together they write all.
        blocks = [*blocks, *([] for _ in range(of))][:of]
        blocks[part::PARTS] = map(list, part_blocks)
        path.write_text("".join(f"{line}\n" for block in blocks for line in block))
    assert [line for block in part_blocks for line in block] == [
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

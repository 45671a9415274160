"""What programs rely on changes only where somebody has meant it to."""

from __future__ import annotations

from tests.rest import surface


def test_the_api_promises_what_the_file_says():
    """After a change that is meant: ``python -m tests.rest.surface``, and a look at the diff."""
    assert list(surface.lines()) == surface.KEPT.read_text().split("\n")

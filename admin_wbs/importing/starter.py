"""The starter list: cost codes for a general contractor, written for erpbridge."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("starter.csv")
NAME = "Starter list"


def content() -> bytes:
    """The file, in the layout of an export."""
    # As an upload, so that it goes the way of every other file.
    return FILE.read_bytes()

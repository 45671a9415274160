"""A file as a table, whichever of the kinds that are taken it is."""

from __future__ import annotations

from erpbridge.files import delimited, workbooks
from erpbridge.files.table import MOST_BYTES, Table, too_large


def read(content: bytes) -> Table:
    """The table of a CSV or XLSX file, told apart by what it holds, not by its name.

    :raises FileProblem: with the first reason why it cannot be read.
    """
    if len(content) > MOST_BYTES:
        raise too_large(len(content))
    if workbooks.is_workbook(content):
        return workbooks.read(content)
    return delimited.read(content)

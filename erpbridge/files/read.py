"""Read a file as a table, whatever its format."""

from __future__ import annotations

from erpbridge.files import delimited, workbooks
from erpbridge.files.table import MOST_BYTES, Table, too_large


def read(content: bytes) -> Table:
    """Return the table of a CSV or XLSX file. The content decides, not the file name.

    :raises FileProblem: with the first reason why it cannot be read.
    """
    if len(content) > MOST_BYTES:
        raise too_large(len(content))
    if workbooks.is_workbook(content):
        return workbooks.read(content)
    return delimited.read(content)

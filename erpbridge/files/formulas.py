"""Cells of files that somebody may open in a spreadsheet: none of them may become a formula.

A cell that would be one gets an apostrophe in front, and so does what stands behind a character at
which a spreadsheet may split the cell: one that expects semicolons makes two cells of ``a;=1+1``.
Adapters write theirs by it too (``erp_integrations.adapters.cells``).
"""

from __future__ import annotations

import re

# In East Asian settings spreadsheets take the wide forms for the narrow ones.
SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
STARTS = rf"""(?=["']*[{SIGNS}])"""
AT_RISK = re.compile(rf"\A(?='*[\t\r\n])|(\A|[;\t\r\n]){STARTS}")
GUARDED = re.compile(rf"\A'(?='*[\t\r\n])|(\A|[;\t\r\n])'{STARTS}")


def guarded(text: str) -> str:
    """The text as a cell of such a file."""
    return AT_RISK.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """What was :func:`guarded`; any other text as it is."""
    return GUARDED.sub(r"\1", text)

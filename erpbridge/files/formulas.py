"""Guard cells of files that people open in a spreadsheet, so that none becomes a formula.

A cell that would be a formula gets an apostrophe in front. So does text after a character at which
a spreadsheet may split the cell: one that expects semicolons splits ``a;=1+1``. Adapters use the
same rules (``erp_integrations.adapters.cells``).
"""

from __future__ import annotations

import re

# With East Asian settings, spreadsheets treat full-width signs like the normal ones.
SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
STARTS = rf"""(?=["']*[{SIGNS}])"""
AT_RISK = re.compile(rf"\A(?='*[\t\r\n])|(\A|[;\t\r\n]){STARTS}")
GUARDED = re.compile(rf"\A'(?='*[\t\r\n])|(\A|[;\t\r\n])'{STARTS}")


def guarded(text: str) -> str:
    """Return the text as a cell of such a file."""
    return AT_RISK.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """Undo :func:`guarded`; other text is returned as it is."""
    return GUARDED.sub(r"\1", text)

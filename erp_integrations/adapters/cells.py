"""Cells of a file that somebody may open in a spreadsheet: none of them may become a formula.

For adapters, by the rule of all files of erpbridge.
"""

from erpbridge.files.formulas import guarded, unguarded

__all__ = ["guarded", "unguarded"]

"""Escape cells of CSV files, so that a spreadsheet does not take them for formulas.

Adapters import these functions from here, because they may import nothing else of erpbridge.
"""

from erpbridge.files.formulas import guarded, unguarded

__all__ = ["guarded", "unguarded"]

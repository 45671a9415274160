"""An adapter for erpbridge to a ledger that keeps its vendors in a CSV file."""

from erpbridge_csv_ledger.adapter import CsvLedgerAdapter

__all__ = ["CsvLedgerAdapter"]

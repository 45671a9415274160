"""Example adapter for erpbridge: a ledger that stores its vendors in a CSV file."""

from erpbridge_csv_ledger.adapter import CsvLedgerAdapter

__all__ = ["CsvLedgerAdapter"]

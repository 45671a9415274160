"""Example adapter for erpbridge: a ledger that is called over HTTP, and that ledger itself."""

from erpbridge_http_ledger.adapter import HttpLedgerAdapter

__all__ = ["HttpLedgerAdapter"]

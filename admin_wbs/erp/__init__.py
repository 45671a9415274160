"""Sending cost codes to the ERP, and fetching them from it."""

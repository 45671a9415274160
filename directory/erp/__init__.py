"""Sending companies to the ERP."""

"""Logging in, passwords and sessions."""

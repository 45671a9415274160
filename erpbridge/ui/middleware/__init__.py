"""Middleware around every page."""

"""Querysets of the work breakdown structure."""

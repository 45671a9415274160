"""Segments of the work breakdown structure and their items."""

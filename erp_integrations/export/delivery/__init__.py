"""Deliveries other than a synchronous call: queued, polled and by file."""

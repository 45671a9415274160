"""Processes of an installation: web server, worker and ticker."""

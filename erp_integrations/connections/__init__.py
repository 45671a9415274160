"""Connections to ERPs: settings, secrets, adapters and refresh."""

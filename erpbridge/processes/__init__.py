"""Web server, worker and ticker as processes of a machine."""

"""Background jobs for work that is too long for a request: one row per job, run in chunks."""

"""Database helpers that behave the same on SQLite and PostgreSQL: text, batches, locks, retries."""

"""Login, passwords and sessions."""

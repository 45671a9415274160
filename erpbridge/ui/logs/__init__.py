"""Log formatting, and redaction of secrets."""

"""Import from the shell."""

"""Commands of the Directory."""

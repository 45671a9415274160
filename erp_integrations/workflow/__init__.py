"""The life of an acceptance item, from Send to the link."""

"""The log, and secrets taken out of it."""

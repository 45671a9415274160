"""Commands of the cost codes."""

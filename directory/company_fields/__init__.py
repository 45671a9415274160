"""Company fields that have their own rules or choices."""

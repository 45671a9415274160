"""Admin > Work Breakdown Structure: cost code lists, codes, cost types."""

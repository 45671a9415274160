"""Fields of a company that have rules or choices of their own."""

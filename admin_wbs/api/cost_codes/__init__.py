"""The API of cost code lists and codes."""

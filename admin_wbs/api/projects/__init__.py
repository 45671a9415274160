"""The API of a project's codes."""

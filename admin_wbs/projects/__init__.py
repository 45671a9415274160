"""The work breakdown structure of a project."""

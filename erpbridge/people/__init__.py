"""Pages and REST resources of an account's people, projects and settings."""

"""The pages and the REST calls of an account's people, projects and settings."""

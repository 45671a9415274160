"""Accounts, projects, people, permission levels and the access policy."""

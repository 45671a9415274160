"""People, their accounts and projects, and what they may do."""

"""Services that change accounts, projects, people and their rights."""

"""What changes accounts, projects, people and their rights."""

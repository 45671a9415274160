"""What an ERP is given: drafts, commands, and the rules for their fields."""

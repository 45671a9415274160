"""What is sent to the ERP: drafts, commands, and the validation of their fields."""

"""Tags of the pages of cost codes."""

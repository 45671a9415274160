"""Companies: their record, their list, and every write to them."""

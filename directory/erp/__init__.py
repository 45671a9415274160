"""Companies on their way into the ERP."""

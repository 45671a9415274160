"""The engine: from an accepted item to the ERP's answer, exactly once."""

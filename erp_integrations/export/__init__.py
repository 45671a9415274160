"""Export engine: takes accepted items to the ERP and stores its answer, exactly once."""

"""Links between records and what the ERP holds."""

"""Links between records and ERP records."""

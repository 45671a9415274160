"""ERP Integrations: acceptance items, approval, export to the ERP, and links."""

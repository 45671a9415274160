"""The way of a record into an ERP: acceptance items, approval, export, links."""

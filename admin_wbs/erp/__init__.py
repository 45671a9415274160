"""Cost codes on their way into the ERP and back."""

"""Ways to an ERP other than a call that is answered at once."""

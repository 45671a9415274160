"""Template tags by which pages of other tools show the state of the ERP."""

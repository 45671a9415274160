"""Template tags that other tools' pages use to show where the ERP stands."""

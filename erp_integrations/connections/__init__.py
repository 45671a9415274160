"""ERP connections: settings, secrets, adapter loading, connection test and refresh."""

"""Pages of ERP connections: settings, health, export files, and the calls of polling ERPs."""

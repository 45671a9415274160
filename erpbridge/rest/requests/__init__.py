"""Reading requests: scope, parameters, bodies and filters."""

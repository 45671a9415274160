"""Parsing of requests: scope, parameters, bodies and filters."""

"""Requests to other machines: in time or not at all. Knows neither Django nor Celery.

For adapters (through ``erp_integrations.adapters.http``) and whatever else calls a host that
somebody has named.
"""

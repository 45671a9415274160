"""HTTP requests to other machines with strict deadlines. Depends on neither Django nor Celery.

Used by adapters (through ``erp_integrations.adapters.http``) and by everything else that calls a
host from user input.
"""

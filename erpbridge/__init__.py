"""The project and its kernel, which imports no app.

This module imports nothing, because parts of the package are used without Django: the Celery
application is in ``erpbridge.celery``, where ``celery --app=erpbridge`` finds it, and is loaded
with the app ``erp_integrations``.
"""

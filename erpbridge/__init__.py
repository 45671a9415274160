"""The project and its kernel, which imports no app.

The package itself loads nothing, for some of it is used without Django: Celery's application is in
``erpbridge.celery``, where ``celery --app=erpbridge`` finds it, and is loaded with the app
``erp_integrations``.
"""

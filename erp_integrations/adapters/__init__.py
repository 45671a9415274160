"""Adapters, one folder per ERP. They import no Django or Celery, and of erpbridge only the other
modules of this package, such as ``base`` and ``http``.
"""

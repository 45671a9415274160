"""Adapters: one folder per ERP. They import neither Django nor Celery nor anything of erpbridge
but ``base``, ``http`` and ``code_settings`` of this package.
"""

"""Adapters: one folder per ERP. They import neither Django nor Celery nor anything of erpbridge
but ``base`` and ``http`` of this package.
"""

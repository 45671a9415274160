"""Conventions of the REST API, which follow Procore's; each app adds its own resources.

How to add a resource: ``docs/adding-a-resource.md``.
"""

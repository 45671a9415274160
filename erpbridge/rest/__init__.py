"""The conventions of the REST API, which are Procore's; each app adds its resources on top.

How to add a resource: ``docs/adding-a-resource.md``.
"""

"""Mutation tests: small bugs put into the code one at a time, to see that a test notices each.

``python -m tests.mutants --help``; not part of ``make test``.
"""

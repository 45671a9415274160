"""The fault campaign: hundreds of items through real processes while something dies.

``python -m tests.faults`` (which is ``make torture``) prints a table; ``--short`` is the form that
the test suite runs. It breaks only what it has started itself.
"""

"""Tryton 8.0: vendors as parties, standard cost codes as analytic accounts, over its REST API.

Tryton is under the GPL and is only spoken to over HTTP; nothing of it is imported.
See docs/design/tryton.md, "Mapping".
"""

from erp_integrations.adapters.tryton.adapter import TrytonAdapter

__all__ = ["TrytonAdapter"]

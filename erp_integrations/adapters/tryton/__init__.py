"""Adapter of Tryton 8.0: vendors are parties, standard cost codes are analytic accounts.

Tryton's license is the GPL, so it is only called over its REST API; none of its code is imported.
See docs/design/tryton.md, "Mapping".
"""

from erp_integrations.adapters.tryton.adapter import TrytonAdapter

__all__ = ["TrytonAdapter"]

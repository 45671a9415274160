"""Conformance kit: the pytest suite that every adapter must pass.

Subclass :class:`AdapterConformance` in a test module, return a :class:`Harness` of your ERP, and
run it with pytest. Walk-through: docs/write-an-adapter.md.
"""

from erp_integrations.adapters.conformance.cases import AdapterConformance
from erp_integrations.adapters.conformance.harness import CannotShow, Harness, cannot

__all__ = ["AdapterConformance", "CannotShow", "Harness", "cannot"]

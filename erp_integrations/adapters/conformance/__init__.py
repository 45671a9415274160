"""Conformance kit: the pytest suite that every adapter must pass.

Subclass :class:`AdapterConformance` in a test module, return a :class:`Harness` of your ERP, and
run it with pytest. Walk-through: docs/write-an-adapter.md.
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.cases", f"{__name__}.trouble")

from erp_integrations.adapters.conformance.cases import AdapterConformance  # noqa: E402
from erp_integrations.adapters.conformance.harness import CannotShow, Harness, cannot  # noqa: E402

__all__ = ["AdapterConformance", "CannotShow", "Harness", "cannot"]

"""The class that adapters subclass to run the conformance kit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from erp_integrations.adapters.conformance import report
from erp_integrations.adapters.conformance.declarations import Declarations
from erp_integrations.adapters.conformance.harness import Harness
from erp_integrations.adapters.conformance.reading import Reading
from erp_integrations.adapters.conformance.trouble import Trouble
from erp_integrations.adapters.conformance.values import Values
from erp_integrations.adapters.conformance.writing import Writing


class AdapterConformance(Declarations, Reading, Writing, Values, Trouble):
    """Subclass it in a test module, override :meth:`make_harness`, and run pytest."""

    def make_harness(self, folder: Path) -> Harness:
        """A new ERP; ``folder`` is for its files, if it has any."""
        raise NotImplementedError

    @pytest.fixture
    def erp(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[Harness]:  # pragma: no cover - wraps every case
        """The harness of this test; its ``close()`` is called at the end, if it has one."""
        report.watch(request.config)
        harness = self.make_harness(tmp_path)
        yield harness
        getattr(harness, "close", lambda: None)()

"""What an error page of development may show."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from erpbridge.ui.redaction import redact_line


class NoSecrets(SafeExceptionReporterFilter):
    """Keeps secrets off Django's debug pages: a screen is shared as easily as a report."""

    def is_active(self, request: HttpRequest | None) -> bool:
        """Also while ``DEBUG`` is on."""
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        """The variables of a frame; a hidden one where its text holds a secret."""
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self._shown(value) for name, value in found}.items()

    def _shown(self, value: Any) -> Any:
        try:
            text = repr(value)
        except Exception:  # an object that cannot be printed has nothing to show
            return self.cleansed_substitute
        return value if redact_line(text) == text else self.cleansed_substitute

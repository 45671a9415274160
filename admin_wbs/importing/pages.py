"""Context of the preview page of a cost code import."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from admin_wbs.cost_codes import list_services
from admin_wbs.importing import columns, uploads
from admin_wbs.importing.plan import Plan, Planned, State
from admin_wbs.models import CodeImport, CodeList
from admin_wbs.models.full_code import full_code
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.imports import pages
from erpbridge.imports.pages import Look

LOOKS = {
    State.ERROR: Look("Error", "Errors", "red", ""),
    State.CHANGED: Look("Changed", "Changed", "blue", "pencil-square"),
    State.NEW: Look("New", "New", "green", "plus-circle"),
    State.UNCHANGED: Look("Unchanged", "Unchanged", "gray", ""),
}


@dataclass(frozen=True)
class PreviewRow:
    """A row of the file on the preview page."""

    planned: Planned
    label: str
    color: str
    icon: str

    @property
    def full_code(self) -> str:
        """The full code that the row would get."""
        return full_code(self.planned.row.path)


@dataclass(frozen=True)
class FileActions:
    """The import and export buttons of a list's page (``wbs/more_actions.html``)."""

    may_import: bool
    is_empty: bool
    reasons: list[str]

    @property
    def enabled(self) -> bool:
        """True if the list can be imported into now."""
        return not self.reasons


def actions(code_list: CodeList, access: Access, *, is_empty: bool) -> FileActions:
    """What the person may do with files on a list's page."""
    why = list_services.read_only(code_list)
    may = bool(access.can(Permission.CODES_EDIT))
    return FileActions(may, is_empty, [why] if why else [])


def preview(code_import: CodeImport, plan: Plan, params: QueryDict) -> dict[str, object]:
    """Layout, tabs and a page of rows; rows with errors come first."""
    layout = uploads.layout_of(code_import)
    shared = pages.preview(plan, LOOKS, params)
    return {
        **shared,
        "layout": layout,
        "unread": columns.unread(layout, code_import.header),
        "delimiters": columns.DELIMITERS.items() if layout.is_joined else (),
        "rows": [_row(planned) for planned in shared["slice"].rows],
        "counts": {str(name): plan.counts[name] for name in State},
    }


def _row(planned: Planned) -> PreviewRow:
    look = LOOKS[planned.state]
    return PreviewRow(planned, look.label, look.color, look.icon)

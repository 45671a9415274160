"""What the preview of an import of cost codes shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from admin_wbs.cost_codes import list_services
from admin_wbs.importing import columns, uploads
from admin_wbs.importing.plan import Plan, Planned, State
from admin_wbs.models import CodeImport, CodeList
from admin_wbs.models.full_code import full_code
from erpbridge.access.policy import Access
from erpbridge.files.slices import sliced
from erpbridge.ui.navigation import Tab

# How a state is shown: label of a row, label of the tab, color, icon.
SHOWN = {
    State.ERROR: ("Error", "Errors", "red", ""),
    State.CHANGED: ("Changed", "Changed", "blue", "pencil-square"),
    State.NEW: ("New", "New", "green", "plus-circle"),
    State.UNCHANGED: ("Unchanged", "Unchanged", "grey", ""),
}


@dataclass(frozen=True)
class PreviewRow:
    """A row of the file on the preview."""

    planned: Planned
    label: str
    color: str
    icon: str

    @property
    def full_code(self) -> str:
        """The code as it would be in the list."""
        return full_code(self.planned.row.path)


@dataclass(frozen=True)
class FileActions:
    """The buttons of a list's page that have to do with files (``wbs/more_actions.html``)."""

    may_import: bool
    is_empty: bool
    reasons: list[str]

    @property
    def enabled(self) -> bool:
        """Whether the list takes an import now."""
        return not self.reasons


def actions(found: CodeList, access: Access) -> FileActions:
    """What the person may do with files on the page of a list."""
    why = list_services.read_only(found)
    may = bool(access.can("codes.edit"))
    return FileActions(may, not found.codes.exists(), [why] if why else [])


def preview(found: CodeImport, plan: Plan, params: QueryDict) -> dict[str, Any]:
    """Layout, tabs and a page of rows; what needs a look stands first."""
    layout = uploads.layout_of(found)
    show = params.get("show", "")
    state = State(show) if show in set(State) else None
    page = sliced(plan.of_state(state), params.get("page", ""))
    return {
        "plan": plan,
        "layout": layout,
        "unread": columns.unread(layout, found.header),
        "delimiters": columns.DELIMITERS.items() if layout.is_joined else (),
        "tabs": _tabs(plan, state),
        "show": show if state else "",
        "slice": page,
        "rows": [PreviewRow(one, *_look(one)) for one in page.rows],
        "counts": {str(name): plan.counts[name] for name in State},
    }


def _tabs(plan: Plan, current: State | None) -> list[Tab]:
    tabs = [Tab("All rows", "?", current is None, f"{len(plan.rows):,}")]
    for state, (_, label, _, _) in SHOWN.items():
        if plan.counts[state]:
            count = f"{plan.counts[state]:,}"
            tabs.append(Tab(label, f"?show={state}", current == state, count))
    return tabs


def _look(one: Planned) -> tuple[str, str, str]:
    label, _, color, icon = SHOWN[one.state]
    return label, color, icon

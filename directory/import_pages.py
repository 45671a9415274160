"""What the pages of an import show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from directory.importing import columns as mapping
from directory.importing.plan import Choice, Fate, LookAlikes, Plan, Planned, State
from directory.models import CompanyImport
from erpbridge.files.slices import sliced
from erpbridge.ui.navigation import Tab

SAMPLES = 3
# How a state is shown: label of a row, label of the tab, colour, icon.
SHOWN = {
    State.ERROR: ("Error", "Errors", "red", ""),
    State.DUPLICATE: ("Exact duplicate", "Exact duplicates", "yellow", "document-duplicate"),
    State.LOOK_ALIKE: ("Look-alike", "Look-alikes", "yellow", "eye"),
    State.PERSON: ("Person", "People", "grey", ""),
    State.NEW: ("New", "New", "green", "plus-circle"),
}


@dataclass(frozen=True)
class Column:
    """A column of the file on the mapping form."""

    name: str
    heading: str
    samples: list[str]
    field: str


@dataclass(frozen=True)
class PreviewRow:
    """A row of the file on the preview."""

    planned: Planned
    label: str
    colour: str
    icon: str


@dataclass(frozen=True)
class Option:
    """One way to treat look-alikes, and what would come of it."""

    value: str
    label: str
    outcome: str
    checked: bool


def file_columns(stored: CompanyImport) -> list[Column]:
    """Every column of the file with its first values and the field chosen for it."""
    return [
        Column(
            name=f"column-{place}",
            heading=heading,
            samples=_samples(stored, place),
            field=stored.columns.get(str(place), mapping.IGNORE),
        )
        for place, heading in enumerate(stored.header)
    ]


def ignored(stored: CompanyImport) -> list[str]:
    """The headings of the columns that go nowhere."""
    return [one.heading for one in file_columns(stored) if not one.field]


def _samples(stored: CompanyImport, place: int) -> list[str]:
    found: list[str] = []
    for _, cells in stored.rows:
        if cells[place] and cells[place] not in found:
            found.append(cells[place])
        if len(found) == SAMPLES:
            break
    return found


def preview(plan: Plan, params: QueryDict) -> dict[str, Any]:
    """Tabs, a page of rows, and the choices; what needs a look stands first."""
    show = params.get("show", "")
    state = State(show) if show in set(State) else None
    page = sliced(plan.of_state(state), params.get("page", ""))
    return {
        "plan": plan,
        "tabs": _tabs(plan, state),
        "show": show if state else "",
        "slice": page,
        "rows": [_row(one) for one in page.rows],
        "options": options(plan),
        "errors": plan.counts[State.ERROR],
        "look_alikes": plan.counts[State.DUPLICATE] + plan.counts[State.LOOK_ALIKE],
        "usable": plan.counts[State.NEW] + plan.placeable > 0
        or any(plan.fates(Choice(option, place=False))[Fate.CREATE] for option in LookAlikes),
    }


def options(plan: Plan) -> list[Option]:
    """How look-alikes can be treated."""
    return [
        Option(
            value=option.value,
            label=str(option.label),
            outcome=_outcome(plan, Choice(option)),
            checked=option == LookAlikes.EXACT,
        )
        for option in LookAlikes
    ]


def _outcome(plan: Plan, choice: Choice) -> str:
    fates = plan.fates(choice)
    parts = [f"{fates[Fate.CREATE]:,} created"]
    if fates[Fate.PLACE]:
        parts.append(f"{fates[Fate.PLACE]:,} added to the project")
    if fates[Fate.LEAVE_OUT]:
        parts.append(f"{fates[Fate.LEAVE_OUT]:,} left out")
    return ", ".join(parts)


def _tabs(plan: Plan, current: State | None) -> list[Tab]:
    tabs = [Tab("All rows", "?", current is None, f"{len(plan.rows):,}")]
    for state, (_, label, _, _) in SHOWN.items():
        if plan.counts[state]:
            count = f"{plan.counts[state]:,}"
            tabs.append(Tab(label, f"?show={state}", current == state, count))
    return tabs


def _row(one: Planned) -> PreviewRow:
    label, _, colour, icon = SHOWN[one.state]
    return PreviewRow(one, label, colour, icon)

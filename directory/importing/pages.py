"""Context of the pages of a company import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from directory.company_fields.countries import HOME, countries
from directory.importing import columns as mapping
from directory.importing.plan import Choice, Fate, LookAlikes, Plan, Planned, State
from directory.models import Company, CompanyImport
from erpbridge.imports import pages
from erpbridge.imports.pages import Look

SAMPLES = 3
TOLD_BY = (
    *("pk", "name", "address", "city", "state_code", "zip", "country_code"),
    *("business_phone", "entity_id", "entity_type"),
)
LOOKS = {
    State.ERROR: Look("Error", "Errors", "red", ""),
    State.DUPLICATE: Look("Exact duplicate", "Exact duplicates", "yellow", "document-duplicate"),
    State.LOOK_ALIKE: Look("Look-alike", "Look-alikes", "yellow", "eye"),
    State.PERSON: Look("Person", "People", "gray", ""),
    State.NEW: Look("New", "New", "green", "plus-circle"),
}


@dataclass(frozen=True)
class Column:
    """A column of the file on the mapping form."""

    name: str
    heading: str
    samples: list[str]
    field: str


@dataclass(frozen=True)
class Firm:
    """The values by which a person recognizes a firm."""

    name: str
    address: str
    phone: str
    tax_id: str


@dataclass(frozen=True)
class PreviewRow:
    """A row of the file on the preview page, and the firm that it looks like."""

    planned: Planned
    label: str
    color: str
    icon: str
    firm: Firm
    other: Firm | None


@dataclass(frozen=True)
class Option:
    """One way to treat look-alikes, and its result."""

    value: str
    label: str
    outcome: str
    checked: bool


def file_columns(stored: CompanyImport) -> list[Column]:
    """Every column of the file with sample values and its field."""
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
    """The headings of columns that are not imported."""
    return [column.heading for column in file_columns(stored) if not column.field]


def _samples(stored: CompanyImport, place: int) -> list[str]:
    samples: list[str] = []
    for _, cells, *_ in stored.rows:
        if cells[place] and cells[place] not in samples:
            samples.append(cells[place])
        if len(samples) == SAMPLES:
            break
    return samples


def preview(plan: Plan, params: QueryDict) -> dict[str, object]:
    """Tabs, a page of rows, and the choices; rows that need attention come first."""
    shared = pages.preview(plan, LOOKS, params)
    return {
        **shared,
        "rows": _rows(shared["slice"].rows, plan),
        "options": options(plan),
        "errors": plan.counts[State.ERROR],
        "look_alikes": plan.counts[State.DUPLICATE] + plan.counts[State.LOOK_ALIKE],
        "doubtful": plan.counts[State.LOOK_ALIKE],
        "usable": plan.counts[State.NEW] + plan.placeable > 0
        # One choice under which something is created is enough to offer the button.
        or any(plan.fates(Choice(option, place=False))[Fate.CREATE] for option in LookAlikes),
    }


def options(plan: Plan) -> list[Option]:
    """The ways to treat look-alikes."""
    return [
        Option(
            value=option.value,
            label=str(option.label),
            outcome=_outcome(plan, Choice(option)),
            checked=option == plan.default,
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


def _rows(page_rows: Sequence[Planned], plan: Plan) -> list[PreviewRow]:
    """Rows with the companies and earlier rows that they look like; one query."""
    matches = [planned.match for planned in page_rows if planned.match]
    company_ids = [match.company_id for match in matches if match.company_id]
    companies = {
        row["pk"]: row for row in Company.objects.filter(pk__in=company_ids).values(*TOLD_BY)
    }
    # The line is 0 for a match with a company, and no line has that number.
    lines = {match.line for match in matches}
    earlier = {row.row.line: row.row.values for row in plan.rows if row.row.line in lines}
    rows = []
    for planned in page_rows:
        look = LOOKS[planned.state]
        match = planned.match
        other = match and (companies.get(match.company_id) or earlier.get(match.line))
        firms = _firm(planned.row.values), _firm(other) if other else None
        rows.append(PreviewRow(planned, look.label, look.color, look.icon, *firms))
    return rows


def _firm(values: Mapping[str, Any]) -> Firm:
    state = f"{values.get('state_code', '')} {values.get('zip', '')}".strip()
    code = values.get("country_code", "")
    country = "" if code == HOME else countries().get(code, code)
    parts = (values.get("address"), values.get("city"), state, country)
    number = values.get("entity_id", "")
    kind = values.get("entity_type", "").upper() if number else ""
    return Firm(
        name=values.get("name", ""),
        address=", ".join(part for part in parts if part),
        phone=values.get("business_phone", ""),
        tax_id=f"{kind} {number}".strip(),
    )

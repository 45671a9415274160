"""The preview of an import: tabs by state, and a page of rows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from django.http import QueryDict

from erpbridge.files.slices import sliced
from erpbridge.imports.plans import FilePlan, P
from erpbridge.ui.navigation import Tab

S = TypeVar("S", bound=StrEnum)


class Look(NamedTuple):
    """How the rows of one state are shown."""

    label: str
    tab: str
    color: str
    icon: str


def preview(plan: FilePlan[P], looks: Mapping[S, Look], params: QueryDict) -> dict[str, Any]:
    """The plan, its tabs, and a page of the rows of the chosen tab.

    :param looks: every state in the order of the tabs.
    """
    state = next((state for state in looks if state == params.get("show", "")), None)
    tabs = [Tab("All rows", "?", state is None, f"{len(plan.rows):,}")]
    for each, look in looks.items():
        if count := plan.counts[each]:
            tabs.append(Tab(look.tab, f"?show={each}", state == each, f"{count:,}"))
    return {
        "plan": plan,
        "tabs": tabs,
        "show": state or "",
        "slice": sliced(plan.of_state(state), params.get("page", "")),
    }

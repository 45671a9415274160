"""Digest of the data that an edit page shows, to detect stale forms, and readable change texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from erpbridge.access.levels import Level, Tool, ToolLevels
from erpbridge.access.models import ErpRight, Membership, ProjectMembership
from erpbridge.access.record_types import entity_choices
from erpbridge.audit.models import Event

LEVEL_FIELDS = (*(tool.value for tool in Tool), "create_edit_companies")
PERSON_FIELDS = ("job_title", "is_active", *LEVEL_FIELDS)
APPROVER_FIELDS = ("can_push_to_accounting", "erp_digest")
Rights = Mapping[str, tuple[bool, bool]]


class Stale(Exception):
    """Somebody else saved the same page after it was opened."""

    def __init__(self, now: str, latest: Event | None) -> None:
        """``now`` is the digest of the stored state; ``latest`` is the last recorded change."""
        self.now = now
        self.latest = latest
        super().__init__("Changed by somebody else in the meantime.")


def digest(state: Mapping[str, object] | Mapping[int, object]) -> str:
    """Return a short hash of the data on a page, for a hidden form field."""
    # Sorted, because the keys may come in the order of a query.
    text = json.dumps(state, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def levels_of(holder: ToolLevels | None) -> dict[str, Any]:
    """Return the levels and the granular right of a membership, all at None without one."""
    if holder is None:
        # An unsaved row has the default of every level.
        holder = ProjectMembership()
    return {name: getattr(holder, name) for name in LEVEL_FIELDS}


def rights_of(membership: Membership) -> dict[str, tuple[bool, bool]]:
    """Return (can import, can export) for each registered record type."""
    rights = {right.entity: right for right in membership.erp_rights.all()}
    no_rights = ErpRight()
    rows = [(entity, rights.get(entity, no_rights)) for entity, _label in entity_choices()]
    return {entity: (right.can_import, right.can_export) for entity, right in rows}


def person_state(membership: Membership) -> dict[str, object]:
    """Return everything the page of a person edits, except the project levels."""
    fields = {name: getattr(membership, name) for name in PERSON_FIELDS + APPROVER_FIELDS}
    return fields | {"rights": {key: list(pair) for key, pair in rights_of(membership).items()}}


def in_words(state: Mapping[str, Any], *, model: type[Model] = Membership) -> dict[str, str]:
    """Return a state with the labels and values that people read, for the history."""
    fields = {name: value for name, value in state.items() if name != "rights"}
    words = {_label(model, name): _word(name, value) for name, value in fields.items()}
    labels = dict(entity_choices())
    for entity, (can_import, can_export) in state.get("rights", {}).items():
        words[f"{labels.get(entity, entity)}: Can import"] = _word("", can_import)
        words[f"{labels.get(entity, entity)}: Can export"] = _word("", can_export)
    return words


def _label(model: type[Model], name: str) -> str:
    return str(getattr(model._meta.get_field(name), "verbose_name", name))


def _word(name: str, value: object) -> str:
    if isinstance(value, int) and name in {tool.value for tool in Tool}:
        return str(Level(value).label)
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else str(value)

"""The record types approver rights can be given for; each record app names its own at start."""

from __future__ import annotations

_labels: dict[str, str] = {}


def register_entity(entity: str, label: str) -> None:
    """Make ``entity`` appear in the grid of ERP rights under ``label`` (plural, title case)."""
    _labels[entity] = label


def entity_choices() -> list[tuple[str, str]]:
    """Entity and label, in the order of registration."""
    return list(_labels.items())

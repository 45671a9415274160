"""Registry of record types that approver rights exist for. Each record app registers its own."""

from __future__ import annotations

_labels: dict[str, str] = {}


def register_entity(entity: str, label: str) -> None:
    """Add ``entity`` to the grid of ERP rights as ``label`` (plural, title case)."""
    _labels[entity] = label


def entity_choices() -> list[tuple[str, str]]:
    """Return (entity, label) pairs in the order of registration."""
    return list(_labels.items())

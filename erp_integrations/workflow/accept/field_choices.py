"""What the ERP's own lists offer each acceptance field, and why it does not take another value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from erp_integrations.adapters.base import AcceptanceField, EntityManifest
from erp_integrations.models import Choice, Connection
from erpbridge.db.text import DIRECTION_CONTROLS


@dataclass(frozen=True)
class Offered:
    """One value of a list; ``group`` is empty where the ERP does not tell of what kind it is."""

    label: str
    group: str


class Offers:
    """The lists that the acceptance fields of a record type pick from, read once."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        self.fields = {one.name: one for one in manifest.acceptance_fields}
        kinds = sorted({one.choices for one in self.fields.values() if one.choices})
        rows = Choice.objects.filter(connection=connection, kind__in=kinds, active=True)
        self._lists: dict[str, dict[str, Offered]] = {kind: {} for kind in kinds}
        for kind, code, label, group in rows.order_by("label").values_list(
            "kind", "code", "label", "group"
        ):
            self._lists[kind][code] = Offered(label, group)

    def of(self, name: str) -> dict[str, str]:
        """Code -> label of what a field offers; empty for one that picks from no list."""
        one = self.fields.get(name)
        offered = self._lists.get(one.choices, {}) if one else {}
        return {
            code: choice.label for code, choice in offered.items() if one and _fits(one, choice)
        }

    def by_field(self) -> dict[str, dict[str, str]]:
        """The same for every field that picks from a list."""
        return {name: self.of(name) for name, one in self.fields.items() if one.choices}

    def words(self, name: str) -> Mapping[str, str]:
        """Code -> label of everything on the list of a field, whether it is offered or not."""
        one = self.fields.get(name)
        offered = self._lists.get(one.choices, {}) if one else {}
        return {code: choice.label for code, choice in offered.items()}

    def why_not(self, one: AcceptanceField, value: str) -> str:
        """Why a field does not take a value, empty where it does; a blank one is no value."""
        if DIRECTION_CONTROLS.search(value):
            return f"{one.label}: remove the characters that change the direction of writing."
        if not one.choices or not value:
            return ""
        choice = self._lists.get(one.choices, {}).get(value)
        if choice is None:
            return f"{one.label}: {value} is not one of the ERP's own. Pick one of the list."
        if _fits(one, choice):
            return ""
        return (
            f"{one.label}: {value} {choice.label} is of the kind “{choice.group}”, and this takes "
            f"“{one.group}”. Pick one of the list."
        )


def _fits(one: AcceptanceField, choice: Offered) -> bool:
    """Of the kind that the field takes, as far as the ERP tells."""
    return not one.group or not choice.group or one.group == choice.group

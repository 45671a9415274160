"""The ERP's lists of choices for acceptance fields, and validation against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from erp_integrations.adapters.base import AcceptanceField, EntityManifest
from erp_integrations.models import Choice, Connection
from erpbridge.db.text import DIRECTION_CONTROLS


@dataclass(frozen=True)
class Offered:
    """One choice of a list; ``group`` is empty if the ERP does not group its choices."""

    label: str
    group: str


class Offers:
    """The choices of all acceptance fields of a record type, loaded once for many items."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        self.fields = {field.name: field for field in manifest.acceptance_fields}
        kinds = sorted({field.choices for field in self.fields.values() if field.choices})
        rows = Choice.objects.filter(connection=connection, kind__in=kinds, active=True)
        self._lists: dict[str, dict[str, Offered]] = {kind: {} for kind in kinds}
        for kind, code, label, group in rows.order_by("label").values_list(
            "kind", "code", "label", "group"
        ):
            self._lists[kind][code] = Offered(label, group)

    def of(self, name: str) -> dict[str, str]:
        """Return code -> label of a field's choices, empty for a field without a list."""
        field = self.fields.get(name)
        choices = self._lists.get(field.choices, {}) if field else {}
        return {
            code: choice.label for code, choice in choices.items() if field and _fits(field, choice)
        }

    def by_field(self) -> dict[str, dict[str, str]]:
        """Return field -> choices, for all fields with a list."""
        return {name: self.of(name) for name, field in self.fields.items() if field.choices}

    def words(self, name: str) -> Mapping[str, str]:
        """Return code -> label of the whole list of a field, including other groups."""
        field = self.fields.get(name)
        choices = self._lists.get(field.choices, {}) if field else {}
        return {code: choice.label for code, choice in choices.items()}

    def why_not(self, field: AcceptanceField, value: str) -> str | None:
        """Return why a value is not allowed, None if it is. A blank value is allowed here.

        Whether a value is required is a rule of the manifest (``payloads.field_rules``).
        """
        if DIRECTION_CONTROLS.search(value):
            return f"{field.label}: remove the characters that change the direction of writing."
        if not field.choices or not value:
            return None
        choice = self._lists.get(field.choices, {}).get(value)
        if choice is None:
            return f"{field.label}: {value} is not one of the ERP's own. Pick one of the list."
        if _fits(field, choice):
            return None
        return (
            f"{field.label}: {value} {choice.label} is of the kind “{choice.group}”, and this "
            f"takes “{field.group}”. Pick one of the list."
        )


def _fits(field: AcceptanceField, choice: Offered) -> bool:
    # A choice without a group is offered for every field: the ERP does not say what it is for.
    return not field.group or not choice.group or field.group == choice.group

"""``manage.py draw_payloads``: generate docs/payloads.md from the fields of the payloads."""

from __future__ import annotations

from pathlib import Path

from erp_integrations.adapters.payloads import PAYLOADS, Kind, PayloadField
from erp_integrations.management.generated_page import GeneratedPage, table

INTRODUCTION = """# Payload fields

Written by `python manage.py draw_payloads` from `erp_integrations/adapters/payloads.py`; do not
edit it by hand (`--check` fails when it is stale, and so does a test).

`Command.payload` has these fields and no others, each of them always. A manifest's `Field.name` is
one of them. What an approver enters is not here: an adapter declares it. See
[write-an-adapter.md](write-an-adapter.md)."""
HOLDS = {Kind.TEXT: "text", Kind.FLAG: "True or False", Kind.TEXTS: "list of texts"}


class Command(GeneratedPage):
    """Writes docs/payloads.md."""

    help = "Writes docs/payloads.md from the fields of the payloads."
    path = Path("docs") / "payloads.md"

    def page(self) -> str:
        """One table for each record type."""
        parts = [f"## `{entity}`\n\n{fields_table(fields)}" for entity, fields in PAYLOADS.items()]
        return "\n\n".join([INTRODUCTION, *parts]) + "\n"


def fields_table(fields: tuple[PayloadField, ...]) -> str:
    """One row per field."""
    rows = [
        (
            f"`{field.name}`",
            field.meaning,
            HOLDS[field.kind],
            "" if field.length is None else f"{field.length:,}",
        )
        for field in fields
    ]
    return table(("Field", "Meaning", "Holds", "Most characters"), rows)

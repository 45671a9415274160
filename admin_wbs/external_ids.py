"""ERP ids of records that are not sent themselves: cost types and sub jobs.

The engine links only records that can be sent. These records have no acceptance items and no links,
so the id is stored on the record alone. Changing it needs the same permission as linking a cost
code, and is noted in the history in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostType, SubJob
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.audit.services import Changes, Note, Verb, changes
from erpbridge.json_values import Json

COLUMNS = ("origin_id", "origin_data")
WHY = "Set over the API"


def of(record: CostType | SubJob | None) -> dict[str, str]:
    """The external ids of a record; empty for a record that does not exist yet."""
    return {name: getattr(record, name, "") for name in COLUMNS}


def of_new(record: CostType | SubJob) -> Changes:
    """The external ids of a new record as changes; empty without an id."""
    return changes(of(None), of(record)) if record.origin_id else {}


def refusal(
    record: CostType | SubJob | None, values: Mapping[str, str], *, access: Access
) -> str | None:
    """Why the caller may not set these ids; None if nothing changes or the caller may."""
    ids = {name: values[name] for name in COLUMNS if name in values}
    if not changes(of(record), ids):
        return None
    permission = access.can(Permission.ITEMS_IMPORT, list_services.CODE)
    return None if permission else permission.why


def notes(
    entity: str,
    pk: int,
    label: str,
    differences: Mapping[str, list[Json]],
    *,
    data: Mapping[str, Json] | None = None,
) -> list[Note]:
    """Audit events for changed ids. ``data``: further data of the events."""
    changed = {name: differences[name] for name in COLUMNS if name in differences}
    if not changed:
        return []
    # Not always changed: other data of the ERP can be set alone.
    before, after = changed.get("origin_id", ["", ""])
    more = {**(data or {}), "changes": changed}
    if before == after:
        return [Note(entity, pk, label, Verb.EDITED, note=WHY, data=more)]
    # The verbs and fields of a link of the engine, so that one history reads like the other.
    link_data = {**more, "erp_id": after or before, "was": before}
    return [Note(entity, pk, label, "link" if after else "unlink", note=WHY, data=link_data)]

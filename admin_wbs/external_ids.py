"""Ids of the ERP on what is never sent to it by itself: cost types and sub jobs.

The seam links records that can be sent. These have no items that could be open and no links of a
connection, so the id is kept on the record alone. Setting or clearing it needs the right that the
seam asks for, that for cost codes, and stands in the history as the seam would write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostType, SubJob
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, changes

COLUMNS = ("origin_id", "origin_data")
WHY = "Set over the API"


def of(one: CostType | SubJob | None) -> dict[str, str]:
    """What a record is called outside; nothing for one that is still to be made."""
    return {name: getattr(one, name, "") for name in COLUMNS}


def of_new(one: CostType | SubJob) -> dict[str, list[Any]]:
    """What was made of the ids of a new record, as changes; nothing without an id."""
    return changes(of(None), of(one)) if one.origin_id else {}


def refusal(one: CostType | SubJob | None, values: Mapping[str, str], *, access: Access) -> str:
    """Why the caller may not call a record so; empty where nothing changes, or the caller may."""
    given = {name: values[name] for name in COLUMNS if name in values}
    if not changes(of(one), given):
        return ""
    answer = access.can("items.import", list_services.CODE)
    return "" if answer else answer.why


def notes(
    entity: str,
    pk: int,
    label: str,
    made: Mapping[str, list[Any]],
    *,
    data: Mapping[str, Any] | None = None,
) -> list[Note]:
    """What became of the ids, of the changes of a record; ``data``: what else its notes hold."""
    changed = {name: made[name] for name in COLUMNS if name in made}
    if not changed:
        return []
    was, now = changed.get("origin_id", ["", ""])
    more = {**(data or {}), "changes": changed}
    if was == now:
        return [Note(entity, pk, label, "edited", note=WHY, data=more)]
    told = {**more, "erp_id": now or was, "was": was}
    return [Note(entity, pk, label, "link" if now else "unlink", note=WHY, data=told)]

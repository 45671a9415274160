"""What a segment looks like wherever it stands in an answer.

See docs/design/procore-rest-resources.md, "Segments".
"""

from __future__ import annotations

from typing import Any

from admin_wbs.models import Segment
from admin_wbs.segments import default_structure

TYPES = {Segment.Kind.COST_TYPE.value: "line_item_type"}


def segment_of(one: Segment) -> dict[str, Any]:
    """What does not depend on where it is seen."""
    return {
        "id": one.pk,
        "type": TYPES.get(one.kind, one.kind),
        "name": one.name,
        "required": one.is_required,
        "delimiter": default_structure.JOINT,
        "project_can_modify_origin_project": one.project_items,
        "project_can_delete_origin_company": one.project_deletes,
        "structure": "tiered" if one.tiered else "flat",
    }

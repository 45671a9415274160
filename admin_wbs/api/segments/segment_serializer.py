"""The serializer of a segment, shared by all responses.

See docs/design/procore-rest-resources.md, "Segments".
"""

from __future__ import annotations

from admin_wbs.models import Segment
from admin_wbs.segments import default_structure

TYPES = {Segment.Kind.COST_TYPE.value: "line_item_type"}


def segment_of(segment: Segment) -> dict[str, object]:
    """The fields that are the same in every context."""
    return {
        "id": segment.pk,
        "type": TYPES.get(segment.kind, segment.kind),
        "name": segment.name,
        "required": segment.is_required,
        "delimiter": default_structure.JOINT,
        "project_can_modify_origin_project": segment.project_items,
        "project_can_delete_origin_company": segment.project_deletes,
        "structure": "tiered" if segment.tiered else "flat",
    }

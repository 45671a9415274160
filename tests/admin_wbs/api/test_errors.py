"""What a service refuses, as the API answers it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.api.errors import refusals
from admin_wbs.errors import CodeRefused, Locked, SegmentRefused, Stale, StaleItem
from erpbridge.rest.errors import ApiError


@pytest.mark.parametrize(
    ("raised", "status", "errors"),
    [
        (Stale("Changed"), 409, {"base": ["Changed"]}),
        (StaleItem("Changed"), 409, {"base": ["Changed"]}),
        (Locked("Sent"), 409, {"base": ["Sent"]}),
        (CodeRefused("Taken", field="parent"), 422, {"parent_id": ["Taken"]}),
        (CodeRefused("No"), 422, {"base": ["No"]}),
        (SegmentRefused("In use"), 422, {"base": ["In use"]}),
        (ValidationError({"label": "Too long"}), 422, {"name": ["Too long"]}),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else None,
)
def test_each_refusal_has_its_status_and_names_its_field(raised, status, errors):
    with pytest.raises(ApiError) as answered, refusals():
        raise raised
    assert (answered.value.status, answered.value.errors) == (status, errors)

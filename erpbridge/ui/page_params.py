"""Parse request parameters, so that no input can break a query."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.http import QueryDict

# Key of an unsaved table row that a script has added; the first one is the model row.
TYPED_ROW = re.compile(r"typed-[0-9]{1,9}", re.ASCII)
MODEL_ROW = "typed-0"
LONGEST_SEARCH = 200


def words(params: Mapping[str, str]) -> str:
    """Return the search text of a list, without what PostgreSQL rejects in parameters."""
    return params.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]


def typed_row(params: QueryDict) -> str:
    """Return the key of the submitted new row; its fields are named after it."""
    key = params.get("key", "")
    return key if TYPED_ROW.fullmatch(key) else MODEL_ROW

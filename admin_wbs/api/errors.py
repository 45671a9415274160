"""Translate errors of the services into API errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.core.exceptions import ValidationError

from admin_wbs.errors import CodeRefused, Locked, SegmentRefused, Stale, StaleItem
from erpbridge.rest.errors import ApiError, Invalid, by_field

# Our column -> field in Procore's bodies.
NAMES: Mapping[str, str] = {
    "description": "name",
    "label": "name",
    "parent": "parent_id",
    "list": "standard_cost_code_list_id",
    "": "base",
}


@contextmanager
def refusals(**names: str) -> Iterator[None]:
    """Turn a service's error into 409 for a conflict or a lock, otherwise 422.

    :param names: column -> field in this body, where it differs from :data:`NAMES`.
    """
    try:
        yield
    # These derive from the two below, so they are caught first.
    except (Stale, StaleItem, Locked) as error:
        raise ApiError(409, {"base": [str(error)]}) from error
    except CodeRefused as error:
        raise Invalid({named(error.field, names): [str(error)]}) from error
    except SegmentRefused as error:
        raise Invalid({"base": [str(error)]}) from error
    except ValidationError as error:
        errors = by_field(error)
        raise Invalid({named(name, names): errors[name] for name in errors}) from error


def named(column: str, names: Mapping[str, str] = NAMES) -> str:
    """The name of a column in the body."""
    return names.get(column) or NAMES.get(column, column)

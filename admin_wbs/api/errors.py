"""Refusals of the services as answers of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.core.exceptions import ValidationError

from admin_wbs.errors import CodeRefused, Locked, SegmentRefused, Stale, StaleItem
from erpbridge.rest.errors import ApiError, Invalid, by_field

# What our columns are called in Procore's bodies.
NAMES: Mapping[str, str] = {
    "description": "name",
    "label": "name",
    "parent": "parent_id",
    "list": "standard_cost_code_list_id",
    "": "base",
}


@contextmanager
def refusals(**names: str) -> Iterator[None]:
    """What a service refuses becomes 409 where somebody else stands against it, else 422.

    :param names: our column -> the name in this body, where it is not the usual one.
    """
    try:
        yield
    except (Stale, StaleItem, Locked) as error:
        raise ApiError(409, {"base": [str(error)]}) from error
    except CodeRefused as error:
        raise Invalid({named(error.field, names): [str(error)]}) from error
    except SegmentRefused as error:
        raise Invalid({"base": [str(error)]}) from error
    except ValidationError as error:
        found = by_field(error)
        raise Invalid({named(name, names): found[name] for name in found}) from error


def named(column: str, names: Mapping[str, str] = NAMES) -> str:
    """A column as the body calls it."""
    return names.get(column) or NAMES.get(column, column)

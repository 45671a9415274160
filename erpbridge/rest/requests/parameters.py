"""Query strings and forms with brackets: ``filters[id][]=1``, ``vendor[name]=x``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import orjson

from erpbridge.db.numbers import LARGEST_ID
from erpbridge.rest.errors import Malformed

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
PART = re.compile(r"\[([^\[\]]*)\]")
# Also ``filter[x]``, and with ``[]`` or ``[0]`` behind the name.
FILTER = re.compile(r"filters?\[([^\[\]]+)\](?:\[\d*\])?")
DEEPEST = 5
DEEPEST_JSON = 20


class TooDeep(ValueError):
    """JSON that is nested too deeply."""


def load_json(text: str | bytes) -> Any:
    """Parse JSON of limited depth, so that recursive code on the result is safe.

    :raises orjson.JSONDecodeError: for invalid JSON.
    :raises TooDeep: for more than 20 levels.
    """
    value = orjson.loads(text)
    # Level by level: recursion on hostile input could exceed Python's limit.
    level = [value]
    for _depth in range(DEEPEST_JSON + 1):
        containers = [container for container in level if isinstance(container, dict | list)]
        level = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return value
    raise TooDeep(f"is nested more than {DEEPEST_JSON} levels deep")


def filters_of(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the filters of a query string, in all their spellings, with values as text.

    Accepts ``filters[x]=v``, ``filters[x][]=1&filters[x][]=2`` and ``filters[x]=[1,2]``.
    Comma-separated values are split later, by filters whose values have no comma. Empty values are
    ignored.
    """
    values_by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        match = FILTER.fullmatch(name)
        if match and value != "":
            values_by_name.setdefault(match[1], []).extend(_as_list(value))
    return values_by_name


def _as_list(value: str) -> list[str]:
    if not (value.startswith("[") and value.endswith("]")):
        return [value]
    try:
        values = load_json(value)
    except (orjson.JSONDecodeError, TooDeep):
        return [value]
    return [item if isinstance(item, str) else orjson.dumps(item).decode() for item in values]


def nested(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Return form fields as the JSON object they stand for.

    :raises Malformed: for contradicting names, or too many levels.
    """
    fields: dict[str, object] = {}
    for name, value in pairs:
        match = NAME.fullmatch(name)
        if match is None:
            continue
        path = [match[1], *PART.findall(match[2])]
        if len(path) > DEEPEST:
            raise Malformed({name[:100]: [f"is nested more than {DEEPEST} levels deep"]})
        _set_path(fields, path, value)
    return fields


def _set_path(fields: dict[str, object], path: Sequence[str], value: object) -> None:
    target: Any = fields
    for key, following in pairwise(path):
        if following == "":
            _child(target, key, list).append(value)
            return
        target = _child(target, key, dict)
    target[path[-1]] = value


def _child(target: object, key: str, kind: type) -> Any:
    child = target.setdefault(key, kind()) if isinstance(target, dict) else None
    if not isinstance(child, kind):
        raise Malformed({key[:100]: ["is given both as a value and with brackets"]})
    return child


def whole_number(value: object, name: str, *, least: int = 1, most: int = LARGEST_ID) -> int:
    """Parse a whole number of a query, a header or a body.

    :raises Malformed: with the limits.
    """
    text = str(value).strip()
    is_number = text.isascii() and text.isdecimal() and len(text) <= 19
    # In Python, true of JSON is an integer.
    if isinstance(value, bool) or not is_number or not least <= int(text) <= most:
        upper_limit = "" if most == LARGEST_ID else f" to {most:,}"
        raise Malformed({name: [f"must be a whole number from {least}{upper_limit}"]})
    return int(text)

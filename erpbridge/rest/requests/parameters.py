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
FILTER = re.compile(r"filters?\[([^\[\]]+)\](?:\[\d*\])?")
DEEPEST = 5
DEEPEST_JSON = 20


class TooDeep(ValueError):
    """JSON that is nested deeper than anything that a call could mean."""


def load_json(text: str | bytes) -> Any:
    """JSON of a bounded depth, so that whatever walks through it comes to an end.

    :raises orjson.JSONDecodeError: for what is no JSON.
    :raises TooDeep: for more than 20 levels.
    """
    value = orjson.loads(text)
    level = [value]
    for _depth in range(DEEPEST_JSON + 1):
        containers = [one for one in level if isinstance(one, dict | list)]
        level = [
            inner
            for one in containers
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return value
    raise TooDeep(f"is nested more than {DEEPEST_JSON} levels deep")


def filters_of(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The filters of a query string in each of their spellings, values as text.

    ``filters[x]=v``, ``filters[x][]=1&filters[x][]=2`` and ``filters[x]=[1,2]``; a comma list is
    taken apart by the filters whose values hold no comma. Empty values ask for nothing.
    """
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        match = FILTER.fullmatch(name)
        if match and value != "":
            found.setdefault(match[1], []).extend(_listed(value))
    return found


def _listed(value: str) -> list[str]:
    if not (value.startswith("[") and value.endswith("]")):
        return [value]
    try:
        values = load_json(value)
    except (orjson.JSONDecodeError, TooDeep):
        return [value]
    return [one if isinstance(one, str) else orjson.dumps(one).decode() for one in values]


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a form as the JSON they stand for.

    :raises Malformed: for names that contradict each other, or are nested too deeply.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        match = NAME.fullmatch(name)
        if match is None:
            continue
        path = [match[1], *PART.findall(match[2])]
        if len(path) > DEEPEST:
            raise Malformed({name[:100]: [f"is nested more than {DEEPEST} levels deep"]})
        _place(found, path, value)
    return found


def _place(found: dict[str, Any], path: Sequence[str], value: Any) -> None:
    target: Any = found
    for key, following in pairwise(path):
        if following == "":
            _inner(target, key, list).append(value)
            return
        target = _inner(target, key, dict)
    target[path[-1]] = value


def _inner(target: Any, key: str, kind: type) -> Any:
    made = target.setdefault(key, kind()) if isinstance(target, dict) else None
    if not isinstance(made, kind):
        raise Malformed({key[:100]: ["is given both as a value and with brackets"]})
    return made


def whole_number(value: Any, name: str, *, least: int = 1, most: int = LARGEST_ID) -> int:
    """A whole number from a query, a header or a body. :raises Malformed: naming the limits."""
    text = str(value).strip()
    plain = text.isascii() and text.isdecimal() and len(text) <= 19
    if isinstance(value, bool) or not plain or not least <= int(text) <= most:
        most_word = "" if most == LARGEST_ID else f" to {most:,}"
        raise Malformed({name: [f"must be a whole number from {least}{most_word}"]})
    return int(text)

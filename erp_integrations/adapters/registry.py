"""Which adapters are there: the entry points of installed packages, narrowed by an allow-list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from erp_integrations.adapters.base import API_VERSION, Adapter

GROUP = "erpbridge.adapters"


class AdapterUnavailable(Exception):
    """An adapter cannot be used; ``why`` says what is wrong in one sentence."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"Adapter “{key}”: {why}")
        self.key = key
        self.why = why


def adapter_class(key: str, allowed: Sequence[str]) -> type[Adapter]:
    """The adapter called ``key``. :raises AdapterUnavailable: saying why it cannot be used."""
    if key not in allowed:
        raise AdapterUnavailable(key, "It is not in the list of adapters allowed here.")
    return _checked(key, _load(_entry_point(key)))


def installed(allowed: Sequence[str]) -> dict[str, type[Adapter]]:
    """The allowed adapters that work, by key, in the order of the allow-list."""
    return {key: one for key, one in _survey(allowed).items() if not isinstance(one, str)}


def unavailable(allowed: Sequence[str]) -> dict[str, str]:
    """The allowed adapters that do not work, with the reason of each."""
    return {key: why for key, why in _survey(allowed).items() if isinstance(why, str)}


def _survey(allowed: Sequence[str]) -> dict[str, type[Adapter] | str]:
    found: dict[str, type[Adapter] | str] = {}
    for key in allowed:
        try:
            found[key] = adapter_class(key, allowed)
        except AdapterUnavailable as broken:
            found[key] = broken.why
    return found


def _entry_point(key: str) -> EntryPoint:
    candidates = {entry.value: entry for entry in _entry_points(key, tuple(sys.path))}
    if not candidates:
        raise AdapterUnavailable(key, "No installed package provides it.")
    if len(candidates) > 1:
        places = " and ".join(sorted(candidates))
        raise AdapterUnavailable(key, f"More than one installed package provides it: {places}.")
    return next(iter(candidates.values()))


@cache
def _entry_points(key: str, _search_path: tuple[str, ...]) -> EntryPoints:
    """Read once for each search path: every call opens the metadata of all installed packages."""
    return entry_points(group=GROUP, name=key)


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:
        # Foreign code runs here: whatever it raises must not take the settings page down.
        why = f"{entry.value} could not be loaded: {type(error).__name__}: {error}"
        raise AdapterUnavailable(entry.name, why) from error


def _checked(key: str, loaded: object) -> type[Adapter]:
    if not (isinstance(loaded, type) and issubclass(loaded, Adapter)):
        raise AdapterUnavailable(key, f"{loaded!r} is not an adapter class.")
    if loaded.api_version != API_VERSION:
        why = f"It is written for contract version {loaded.api_version}; this is {API_VERSION}."
        raise AdapterUnavailable(key, why)
    return loaded

"""Installed adapters: entry points of Python packages, limited to an allow-list of keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from erp_integrations.adapters.base import API_VERSION, CHANGES, Adapter

GROUP = "erpbridge.adapters"


class AdapterUnavailable(Exception):
    """An adapter cannot be used; ``why`` is the reason in one sentence."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"Adapter “{key}”: {why}")
        self.key = key
        self.why = why


def adapter_class(key: str, allowed: Sequence[str]) -> type[Adapter]:
    """The adapter class with this key.

    :raises AdapterUnavailable: if it is not allowed, not installed or broken.
    """
    # Before anything is loaded: code of an installed package runs only if the operator allowed it.
    if key not in allowed:
        raise AdapterUnavailable(key, "It is not in the list of adapters allowed here.")
    return _checked(key, _load(_entry_point(key)))


def installed(allowed: Sequence[str]) -> dict[str, type[Adapter]]:
    """The usable adapter classes by key, in the order of the allow-list."""
    return {key: result for key, result in _survey(allowed).items() if not isinstance(result, str)}


def unavailable(allowed: Sequence[str]) -> dict[str, str]:
    """The allowed adapters that cannot be used, each with the reason."""
    return {key: why for key, why in _survey(allowed).items() if isinstance(why, str)}


def known() -> list[str]:
    """The keys that installed packages provide, allowed or not, sorted. Nothing is loaded."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def _survey(allowed: Sequence[str]) -> dict[str, type[Adapter] | str]:
    """Key -> adapter class, or the reason why it cannot be used."""
    results: dict[str, type[Adapter] | str] = {}
    for key in allowed:
        try:
            results[key] = adapter_class(key, allowed)
        except AdapterUnavailable as error:
            results[key] = error.why
    return results


def _entry_point(key: str) -> EntryPoint:
    # By value, because the same package may be found twice on sys.path.
    candidates = {entry.value: entry for entry in _entry_points(key, tuple(sys.path))}
    if not candidates:
        raise AdapterUnavailable(key, "No installed package provides it.")
    if len(candidates) > 1:
        places = " and ".join(sorted(candidates))
        raise AdapterUnavailable(key, f"More than one installed package provides it: {places}.")
    return next(iter(candidates.values()))


@cache
def _entry_points(key: str, _search_path: tuple[str, ...]) -> EntryPoints:
    """Cached per search path, because each lookup reads the metadata of all installed packages."""
    return entry_points(group=GROUP, name=key)


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:
        # Third-party code runs here: an exception of any kind must not break the settings page.
        why = f"{entry.value} could not be loaded: {type(error).__name__}: {error}"
        if isinstance(error, AttributeError) and error.name == entry.attr:
            advice = "Correct the entry point, then install the package again"
            raise AdapterUnavailable(entry.name, f"{why}. {advice}.") from error
        # Names that are gone since the version for which it was written end its import like this.
        names_gone = isinstance(error, TypeError | ImportError | AttributeError)
        if names_gone and not isinstance(error, ModuleNotFoundError):
            steps = "; ".join(change for changes in CHANGES.values() for change in changes)
            why += f". If it was written for an earlier contract version, change: {steps}."
        raise AdapterUnavailable(entry.name, why) from error


def _checked(key: str, loaded: object) -> type[Adapter]:
    if not (isinstance(loaded, type) and issubclass(loaded, Adapter)):
        raise AdapterUnavailable(key, f"{loaded!r} is not an adapter class.")
    if loaded.api_version != API_VERSION:
        raise AdapterUnavailable(key, _other_version(loaded.api_version))
    return loaded


def _other_version(version: object) -> str:
    """Why an adapter of another contract version is refused, and what to change in it."""
    why = f"It is written for contract version {version}; this is {API_VERSION}."
    steps = [
        change
        for older in sorted(CHANGES)
        if isinstance(version, int) and version <= older
        for change in CHANGES[older]
    ]
    if not steps:
        return f"{why} Install a release of the adapter for version {API_VERSION}."
    guide = 'See docs/write-an-adapter.md, "From version 1 to 2".'
    return f"{why} To change: {'; '.join(steps)}; then set api_version = {API_VERSION}. {guide}"

"""Registry of the kinds of jobs; each app registers its own when it is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from erpbridge.access.permissions import Permission

if TYPE_CHECKING:
    from erpbridge.jobs.run import Run


@dataclass(frozen=True)
class Kind:
    """How a kind of job runs, and who may see it.

    ``step`` runs one chunk, inside :meth:`Run.chunk`, and is called until the job is over. Another
    worker may make the next call, so all state is in ``run.notes``. ``action`` is the policy rule
    for the job's page.
    """

    name: str
    step: Callable[[Run], None]
    action: Permission


_kinds: dict[str, Kind] = {}


def register(name: str, step: Callable[[Run], None], *, action: Permission) -> None:
    """Register a kind of job; called once, when its app is ready."""
    _kinds[name] = Kind(name, step, action)


def kind_of(name: str) -> Kind:
    """Return a registered kind.

    :raises KeyError: when no installed app has registered it.
    """
    return _kinds[name]


def kinds() -> list[Kind]:
    """Return all registered kinds."""
    return list(_kinds.values())

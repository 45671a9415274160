"""The kinds of jobs; each app registers its own when it is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erpbridge.jobs.run import Run


@dataclass(frozen=True)
class Kind:
    """How a kind of job is done, and who may see one.

    ``step`` does one chunk, inside :meth:`Run.chunk`, and is called until the job is over. Between
    two calls the worker may be another one, so all it remembers is in ``run.notes``.
    ``action`` is the policy rule that opens the job's page.
    """

    name: str
    step: Callable[[Run], None]
    action: str


_kinds: dict[str, Kind] = {}


def register(name: str, step: Callable[[Run], None], *, action: str) -> None:
    """Make a kind of job known; called once, when its app is ready."""
    _kinds[name] = Kind(name, step, action)


def kind_of(name: str) -> Kind:
    """The registered kind. :raises KeyError: for one that no installed app knows."""
    return _kinds[name]


def kinds() -> list[Kind]:
    """All registered kinds."""
    return list(_kinds.values())

"""What one click on many rows did, kept so that its result page can be opened again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from erp_integrations.adapters.base import Problem
from erp_integrations.models import Request
from erpbridge.access.policy import Access
from erpbridge.ui.request_id import current_request_id


@dataclass(frozen=True)
class Refusal:
    """A row that a click did not take, with every reason."""

    record_id: int
    label: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Done:
    """The result of a click: how many rows were taken, and which were not."""

    request_id: UUID
    done: int
    refused: tuple[Refusal, ...]


def record_click(
    access: Access, *, entity: str, verb: str, done: int, refused: Sequence[Refusal]
) -> Request:
    """Store a click and its refusals."""
    return Request.objects.create(
        account=access.account,
        project=access.project,
        entity=entity,
        verb=verb,
        by=access.user,
        done=done,
        refused=_rows(refused),
        trace_id=current_request_id() or uuid4().hex,
    )


def finish_click(click: Request, *, done: int, refused: Sequence[Refusal]) -> None:
    """Add to a stored click what came of it, where its items had to point at it first."""
    click.done, click.refused = done, _rows(refused)
    click.save(update_fields=["done", "refused"])


def _rows(refused: Sequence[Refusal]) -> list[dict[str, Any]]:
    return [
        {
            "record_id": one.record_id,
            "label": one.label,
            "problems": [
                {"message": p.message, "field": p.field, "current": p.current, "limit": p.limit}
                for p in one.problems
            ],
        }
        for one in refused
    ]

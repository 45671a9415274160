"""What one click on many rows did, kept so that its result page can be opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404

from erp_integrations.adapters.base import Problem
from erp_integrations.models import Request
from erpbridge.access.policy import Access
from erpbridge.db.busy import BUSY, Trouble, is_conflict, retried, trouble_of
from erpbridge.request_id import current_request_id


@dataclass(frozen=True)
class Refusal:
    """A row that a click did not take, with every reason."""

    record_id: int
    label: str
    problems: tuple[Problem, ...]


# A batch that finds the database busy has waited already, for as long as a connection waits.
TRIES = 3
Result = tuple[int, Sequence[Refusal]]


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


def carry_out(
    access: Access,
    *,
    entity: str,
    verb: str,
    batches: Iterable[Sequence[int]],
    do: Callable[[Sequence[int], Request], Result],
    labels: Callable[[Sequence[int]], Mapping[int, str]],
) -> tuple[Request, Done]:
    """Carry out a click, each batch of ids in a transaction of its own.

    A click on ten thousand rows would otherwise keep everybody else from writing while it lasts.
    The first batch decides whether the click takes place at all; later ones are tried again while
    the database is busy, and are refused in words where it stays so, or has no room left.

    :param do: does a batch; how many rows were taken, and which were not.
    :param labels: what the records of a batch are called, by their ids, for such a refusal.
    """
    first, *later = list(batches) or [[]]

    @retried
    def begin() -> tuple[Request, int, Sequence[Refusal]]:
        with transaction.atomic():
            click = record_click(access, entity=entity, verb=verb, done=0, refused=[])
            done, refused = do(first, click)
            _finish(click, done=done, refused=refused)
        return click, done, refused

    click, done, refused = begin()
    for batch in later:
        taken, problems = _patiently(batch, click, do, labels)
        done, refused = done + taken, [*refused, *problems]
        with suppress(OperationalError):
            _finish(click, done=done, refused=refused)
    return click, Done(click.pk, done, tuple(refused))


def _patiently(
    batch: Sequence[int],
    click: Request,
    do: Callable[[Sequence[int], Request], Result],
    labels: Callable[[Sequence[int]], Mapping[int, str]],
) -> Result:
    @retried
    def once() -> Result:
        with transaction.atomic():
            return do(batch, click)

    trouble = BUSY
    for _attempt in range(TRIES):
        try:
            return once()
        except OperationalError as error:
            found = trouble_of(error)
            if found is None:
                raise
            trouble = found
            if trouble is not BUSY or is_conflict(error):
                break
    return 0, _not_now(labels(batch), trouble)


def _not_now(labels: Mapping[int, str], trouble: Trouble) -> list[Refusal]:
    problem = Problem("database", "busy", trouble.text)
    return [Refusal(pk, label, (problem,)) for pk, label in labels.items()]


def _finish(click: Request, *, done: int, refused: Sequence[Refusal]) -> None:
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


def click_of(access: Access, request_id: UUID) -> Request:
    """A click of the account: one's own, or anybody's for who can see the items.

    :raises PermissionDenied: for another person's.
    :raises Http404: for one of another account, or of another project than the scope's.
    """
    found = get_object_or_404(
        Request.objects.select_related("by", "project"), pk=request_id, account=access.account
    )
    if found.by_id != access.user.pk and not access.can("items.view"):
        raise PermissionDenied(access.can("items.view").why)
    if access.project is not None and found.project_id != access.project.pk:
        raise Http404
    return found

"""Bulk requests: one click on many records, stored so that its result page can be opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID, uuid4

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404

from erp_integrations.adapters.base import Problem
from erp_integrations.models import Request
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.busy import BUSY, is_conflict, retried, trouble_of
from erpbridge.refusals import BulkResult
from erpbridge.request_id import current_request_id


@dataclass(frozen=True)
class Refusal:
    """A record that a bulk request refused, with all reasons."""

    record_id: int
    label: str
    problems: tuple[Problem, ...]


# Attempts of a batch while the database is busy. Each attempt has waited before it fails, for as
# long as the database connection is configured to wait for a lock.
TRIES = 3


class RefusedProblem(TypedDict):
    """A problem as a bulk request stores it."""

    message: str
    field: str
    current: str
    limit: str


class RefusedRow(TypedDict):
    """A refused record as a bulk request stores it."""

    record_id: int
    label: str
    problems: list[RefusedProblem]


@dataclass(frozen=True, kw_only=True)
class Done(BulkResult[Refusal]):
    """The result of a bulk request, with the id of the stored :class:`Request`."""

    request_id: UUID


def record_click(
    access: Access, *, entity: str, verb: Request.Verb, done: int, refused: Sequence[Refusal]
) -> Request:
    """Store a bulk request with its refusals."""
    return Request.objects.create(
        account=access.account,
        project=access.project,
        entity=entity,
        verb=verb,
        by=access.user,
        done=done,
        refused=_rows(refused),
        # Outside of an HTTP request, for example in a job, there is no id to share with the log.
        trace_id=current_request_id() or uuid4().hex,
    )


def carry_out(
    access: Access,
    *,
    entity: str,
    verb: Request.Verb,
    batches: Iterable[Sequence[int]],
    do: Callable[[Sequence[int], Request], BulkResult[Refusal]],
    labels: Callable[[Sequence[int]], Mapping[int, str]],
) -> tuple[Request, Done]:
    """Carry out a bulk request, each batch of ids in its own transaction.

    An exception in the first batch is raised, and nothing is stored. Later batches are retried
    while the database is busy; if it stays busy or its disk is full, their records are refused.

    :param do: processes one batch.
    :param labels: record id -> label of the records of a batch, for these refusals.
    """
    # One transaction for ten thousand records would block all other writers until it ends.
    # See docs/locks.md.
    first, *later = list(batches) or [[]]

    # The request is created in the transaction of the first batch, so that it does not exist if
    # that batch fails. The items of the batch refer to it, so its numbers are saved after them.
    @retried
    def begin() -> tuple[Request, BulkResult[Refusal]]:
        with transaction.atomic():
            click = record_click(access, entity=entity, verb=verb, done=0, refused=[])
            first_result = do(first, click)
            _finish(click, first_result)
        return click, first_result

    click, total = begin()
    for batch in later:
        total = _patiently(batch, click, total, do, labels)
    return click, Done(done=total.done, refused=total.refused, request_id=click.pk)


def _patiently(
    batch: Sequence[int],
    click: Request,
    total: BulkResult[Refusal],
    do: Callable[[Sequence[int], Request], BulkResult[Refusal]],
    labels: Callable[[Sequence[int]], Mapping[int, str]],
) -> BulkResult[Refusal]:
    """Carry out a further batch; returns the new total, which is stored with the batch."""

    # ``retried`` repeats the transaction after a conflict; the loop below repeats it while the
    # database is busy for other reasons.
    @retried
    def carry_out_batch() -> BulkResult[Refusal]:
        with transaction.atomic():
            new_total = total + do(batch, click)
            _finish(click, new_total)
        return new_total

    trouble = BUSY
    for _attempt in range(TRIES):
        try:
            return carry_out_batch()
        except OperationalError as error:
            current_trouble = trouble_of(error)
            if current_trouble is None:
                raise
            trouble = current_trouble
            # A full disk does not go away within seconds, and conflicts were retried already.
            if trouble is not BUSY or is_conflict(error):
                break
    problem = Problem("database", "busy", trouble.text)
    refused = tuple(Refusal(pk, label, (problem,)) for pk, label in labels(batch).items())
    new_total = total + BulkResult(0, refused)
    # Earlier batches are committed, so an error here must not fail the request. The next batch
    # stores its total again.
    with suppress(OperationalError):
        _finish(click, new_total)
    return new_total


def _finish(click: Request, total: BulkResult[Refusal]) -> None:
    click.done, click.refused = total.done, _rows(total.refused)
    click.save(update_fields=["done", "refused"])


def _rows(refused: Sequence[Refusal]) -> list[RefusedRow]:
    return [
        {
            "record_id": refusal.record_id,
            "label": refusal.label,
            "problems": [
                {
                    "message": problem.message,
                    "field": problem.field,
                    "current": problem.current,
                    "limit": problem.limit,
                }
                for problem in refusal.problems
            ],
        }
        for refusal in refused
    ]


def click_of(access: Access, request_id: UUID) -> Request:
    """Return a bulk request of the account: the user's own, or anyone's if the user can view items.

    :raises PermissionDenied: if it is someone else's and the user cannot view items.
    :raises Http404: if it belongs to another account, or not to the project of the scope.
    """
    click = get_object_or_404(
        Request.objects.select_related("by", "project"), pk=request_id, account=access.account
    )
    if click.by_id != access.user.pk and not access.can(Permission.ITEMS_VIEW):
        raise PermissionDenied(access.can(Permission.ITEMS_VIEW).why)
    # As for other accounts: what the scope does not contain does not exist there
    # (docs/design/permissions.md, "Who does what").
    if access.project is not None and click.project_id != access.project.pk:
        raise Http404
    return click

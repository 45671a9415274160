"""The ERP buttons of record pages, and of lists whose records are sent together.

For their labels see docs/design/sending-to-erp.md, "Sending a company" and "Sending cost codes".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.db.models import Count, Q, QuerySet

from erp_integrations.adapters.base import Operation, Problem
from erp_integrations.models import Request
from erp_integrations.models.record_types import (
    RecordType,
    Sendable,
    record_type,
)
from erp_integrations.models.states import MOVING, State
from erp_integrations.workflow.send.filters import rejected_as_it_is, unsent
from erp_integrations.workflow.send.locks import BEYOND_EDITS
from erp_integrations.workflow.send.readiness import Readiness, help_link, readiness
from erp_integrations.workflow.send.validation import examine
from erpbridge.access.policy import Access

WAITING = Q(erp_state=State.READY)


@dataclass(frozen=True)
class ListButton:
    """The buttons to send and retrieve a whole list; ``label`` is empty if the user may not send.

    ``count``: how many records a click sends. ``waiting``: how many can be retrieved, 0 if the user
    may not. ``updates``: whether the ERP accepts updates. ``left_out``: how many records a click
    leaves out unless they are selected, because they were rejected with a reason and not changed.
    """

    label: str = ""
    count: int = 0
    enabled: bool = False
    reasons: tuple[Problem, ...] = ()
    waiting: int = 0
    updates: bool = False
    left_out: int = 0
    help_url: str = ""
    help_label: str = ""


def list_button(entity: str, access: Access, rows: QuerySet[Sendable]) -> ListButton:
    """Return the buttons of a list, with all reasons if sending is not possible.

    :param rows: the records of the list that may be sent, as far as the record app decides.
    """
    kind = record_type(entity)
    if not access.can(kind.send_action):
        may_retrieve = access.can(kind.retrieve_action)
        return ListButton(waiting=rows.filter(WAITING).count() if may_retrieve else 0)
    ready = readiness(entity, access)
    updates = ready.manifest is not None and Operation.UPDATE in ready.manifest.operations
    numbers = _numbers(rows, entity, updates=updates)
    reasons = list(ready.problems)
    if not numbers.to_send:
        reasons.append(_nothing(kind, numbers, ready))
    url, words = help_link(ready, access)
    return ListButton(
        # "Re-send" once any record of the list was sent or linked.
        label="Send to ERP" if numbers.untouched == numbers.total else "Re-send to ERP",
        count=numbers.to_send,
        enabled=not reasons,
        reasons=tuple(reasons),
        waiting=numbers.waiting if access.can(kind.retrieve_action) else 0,
        updates=updates,
        left_out=numbers.left_out,
        help_url=url,
        help_label=words,
    )


@dataclass(frozen=True)
class _Numbers:
    """How many records of a list there are: all, and those of each kind that the buttons name."""

    total: int
    waiting: int
    moving: int
    stuck: int
    synced: int
    untouched: int
    left_out: int
    to_send: int


def _numbers(rows: QuerySet[Sendable], entity: str, *, updates: bool) -> _Numbers:
    """Count by one query, and a second where a record was rejected."""
    sent = unsent(updates=updates)
    kinds = rows.order_by().annotate(kind_linked=~Q(origin_id=""), kind_sent=sent)
    # Few kinds for any number of records; a count for each number would test each record for each.
    counted = kinds.values_list("erp_state", "kind_linked", "kind_sent").annotate(Count("pk"))
    numbers = {(state, linked, sends): number for state, linked, sends, number in counted}

    def among(is_of: Callable[[str, bool, bool], bool]) -> int:
        return sum(number for kind, number in numbers.items() if is_of(*kind))

    rejected = among(lambda state, _linked, sends: sends and state == State.REJECTED)
    left_out = rows.filter(sent, rejected_as_it_is(entity)).count() if rejected else 0
    return _Numbers(
        total=sum(numbers.values()),
        waiting=among(lambda state, *_: state == State.READY),
        moving=among(lambda state, *_: state in MOVING),
        stuck=among(lambda state, *_: state in (State.FAILED, State.NEEDS_ANSWER)),
        synced=among(lambda _state, linked, _sends: linked),
        untouched=among(lambda state, linked, _sends: not state and not linked),
        left_out=left_out,
        to_send=among(lambda _state, _linked, sends: sends) - left_out,
    )


def _nothing(kind: RecordType, numbers: _Numbers, ready: Readiness) -> Problem:
    """Why there is nothing to send, with the number of records per reason."""
    plural = kind.label_plural.lower()
    total = numbers.total
    counts = {
        "waiting for accounting": numbers.waiting,
        "being exported": numbers.moving,
        "failed or in need of an answer, which accounting has to resolve": numbers.stuck,
        "rejected with a reason and not changed since: tick these to send them again": (
            numbers.left_out
        ),
        f"synced with {ready.label or 'the ERP'}": numbers.synced,
    }
    if not total:
        message = f"The list has no active {plural} to send."
    else:
        parts = [
            f"all {total:,} are {words}" if number == total else f"{number:,} {words}"
            for words, number in counts.items()
            if number
        ]
        message = f"Nothing is left to send: {'; '.join(parts)}."
    return Problem("erp_state", "nothing", message)


@dataclass(frozen=True)
class Button:
    """The ERP button of a record page; ``verb`` is empty if none is shown.

    ``after_edit``: whether editing the record can solve all problems. ``takes_note``: whether the
    sender can add a note, which is possible after a rejection.
    """

    verb: Request.Verb | Literal[""] = ""
    label: str = ""
    enabled: bool = False
    reasons: tuple[Problem, ...] = ()
    help_url: str = ""
    help_label: str = ""
    after_edit: bool = False
    takes_note: bool = False


def button(entity: str, access: Access, record: Sendable) -> Button:
    """Return the button of a record, with all reasons if sending is not possible."""
    kind = record_type(entity)
    if record.erp_state == State.READY and access.can(kind.retrieve_action):
        return Button(Request.Verb.RETRIEVE, "Retrieve from ERP", True)
    if not access.can(kind.send_action):
        return Button()
    # The same check as on the click, so that page and server agree.
    examination = examine(kind, [record.pk], access=access)
    reasons = tuple(examination.of(record.pk))
    label = "Re-send to ERP" if record.erp_state or record.origin_id else "Send to ERP"
    url, words = help_link(examination.ready, access)
    after_edit = not examination.ready.problems and not any(
        problem.rule in BEYOND_EDITS for problem in reasons
    )
    takes_note = not reasons and record.erp_state == State.REJECTED
    return Button(
        Request.Verb.SEND, label, not reasons, reasons, url, words, after_edit, takes_note
    )

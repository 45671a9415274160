"""The ERP buttons of record pages, and of lists whose records are sent together.

For their labels see docs/design/sending-to-erp.md, "Sending a company" and "Sending cost codes".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.db.models import QuerySet

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
    ready = readiness(entity, access)
    waiting = 0
    if access.can(kind.retrieve_action):
        waiting = rows.filter(erp_state=State.READY).count()
    if not access.can(kind.send_action):
        return ListButton(waiting=waiting)
    updates = ready.manifest is not None and Operation.UPDATE in ready.manifest.operations
    to_send = rows.filter(unsent(updates=updates))
    left_out = to_send.filter(rejected_as_it_is(entity)).count()
    count = to_send.count() - left_out
    reasons = list(ready.problems)
    if not count:
        reasons.append(_nothing(kind, rows, ready, left_out))
    # "Re-send" once any record of the list was sent or linked.
    sent_before = rows.exclude(erp_state="", origin_id="").exists()
    url, words = help_link(ready, access)
    return ListButton(
        label="Re-send to ERP" if sent_before else "Send to ERP",
        count=count,
        enabled=not reasons,
        reasons=tuple(reasons),
        waiting=waiting,
        updates=updates,
        left_out=left_out,
        help_url=url,
        help_label=words,
    )


def _nothing(
    kind: RecordType, rows: QuerySet[Sendable], ready: Readiness, left_out: int
) -> Problem:
    """Why there is nothing to send, with the number of records per reason."""
    plural = kind.label_plural.lower()
    total = rows.count()
    counts = {
        "waiting for accounting": rows.filter(erp_state=State.READY).count(),
        "being exported": rows.filter(erp_state__in=sorted(MOVING)).count(),
        "failed or in need of an answer, which accounting has to resolve": rows.filter(
            erp_state__in=[State.FAILED, State.NEEDS_ANSWER]
        ).count(),
        "rejected with a reason and not changed since: tick these to send them again": left_out,
        f"synced with {ready.label or 'the ERP'}": rows.exclude(origin_id="").count(),
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

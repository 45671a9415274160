"""The ERP button of a list whose records are sent together, such as the ERP Standard Cost Codes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from erp_integrations.adapters.base import Operation, Problem
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
    """Send and Retrieve of a whole list; ``label`` is empty where the person may not send.

    ``count``: how many records a click sends; ``waiting``: how many can be retrieved, 0 for who
    may not; ``updates``: whether the ERP takes changes of what it holds; ``left_out``: how many a
    click leaves out unless they are ticked, being rejected with a reason and unchanged since.
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
    """What the person can do with a list and the ERP, and if not, every reason.

    :param rows: every record of the list that may be sent as far as the record app decides.
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
    before = rows.exclude(erp_state="", origin_id="").exists()
    url, words = help_link(ready, access)
    return ListButton(
        label="Re-send to ERP" if before else "Send to ERP",
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
    """Why there is nothing to send."""
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
    """The ERP button of a record page. ``verb`` is empty where none is to be shown.

    ``after_edit``: whether the record could be sent once its fields are changed; ``takes_note``:
    whether the sender can say something along with it, to whoever rejected it.
    """

    verb: str = ""
    label: str = ""
    enabled: bool = False
    reasons: tuple[Problem, ...] = ()
    help_url: str = ""
    help_label: str = ""
    after_edit: bool = False
    takes_note: bool = False


def button(entity: str, access: Access, record: Sendable) -> Button:
    """What the person can do with this record and the ERP, and if not, every reason."""
    kind = record_type(entity)
    if record.erp_state == State.READY and access.can(kind.retrieve_action):
        return Button("retrieve", "Retrieve from ERP", True)
    if not access.can(kind.send_action):
        return Button()
    found = examine(kind, [record.pk], access=access)
    reasons = tuple(found.of(record.pk))
    label = "Re-send to ERP" if record.erp_state or record.origin_id else "Send to ERP"
    url, words = help_link(found.ready, access)
    after_edit = not found.ready.problems and not any(one.rule in BEYOND_EDITS for one in reasons)
    takes_note = not reasons and record.erp_state == State.REJECTED
    return Button("send", label, not reasons, reasons, url, words, after_edit, takes_note)

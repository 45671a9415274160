"""The states of an acceptance item, and everything that is said of each: one table.

``workflow.transitions.move()`` is the only code that changes a state.
What the words and colors are for: docs/design/erp-integrations-states.md, "Badges" and "Words of
the API".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import models


class State(models.TextChoices):
    """Where an item stands. READY to NEEDS_ANSWER and FAILED are open and lock the record."""

    READY = "ready", "Ready to export"
    QUEUED = "queued", "Exporting"
    SENDING = "sending", "Exporting"
    SUBMITTED = "submitted", "Exporting"
    UNCERTAIN = "uncertain", "Exporting"
    NEEDS_ANSWER = "needs_answer", "Needs an answer"
    FAILED = "failed", "Failed to export"
    SYNCED = "synced", "Synced"
    UNLINKED = "unlinked", "Unlinked"
    RETRIEVED = "retrieved", "Retrieved"
    REJECTED = "rejected", "Rejected"


class ItemTab(models.TextChoices):
    """The lists of the tool ERP Integrations, in their order."""

    READY = "ready", "Ready to export"
    EXPORTING = "exporting", "Exporting"
    FAILED = "failed", "Failed to export"
    SYNCED = "synced", "Synced"
    RETURNED = "returned", "Rejected & retrieved"


@dataclass(frozen=True)
class Words:
    """What is said of one state wherever it is shown, beside its label.

    ``badge`` is the key of its badge, by which lists are filtered. ``rest`` is Procore's word.
    ``to_sender`` replaces the label where the person who sent the record looks at it.
    """

    badge: str
    color: str
    icon: str
    rest: str
    tab: ItemTab | None
    meaning: str
    to_sender: str = ""


def _exporting(meaning: str) -> Words:
    return Words("exporting", "blue", "arrow-path", "exporting", ItemTab.EXPORTING, meaning)


STATES: Mapping[State, Words] = {
    State.READY: Words(
        "ready",
        "blue",
        "clock",
        "ready_to_export",
        ItemTab.READY,
        "An approver accepts or rejects it; until then its sender can retrieve it.",
        # The sender cannot export it, and has to know whose turn it is.
        to_sender="Waiting for accounting",
    ),
    State.QUEUED: _exporting("It was accepted and waits for its turn."),
    State.SENDING: _exporting("It is being written into the ERP."),
    State.SUBMITTED: _exporting("It was handed over to the ERP, which answers later."),
    State.UNCERTAIN: _exporting(
        "The ERP did not say whether it took it. It is looked up there before it is sent again."
    ),
    State.NEEDS_ANSWER: Words(
        "needs_answer",
        "red",
        "question-mark-circle",
        # Procore's list of failed items holds these too.
        "failed_to_export",
        ItemTab.FAILED,
        "Neither export nor lookup told whether it is in the ERP. An approver looks and answers.",
    ),
    State.FAILED: Words(
        "failed",
        "red",
        "exclamation-triangle",
        "failed_to_export",
        ItemTab.FAILED,
        "The ERP did not take it. An approver retries, rejects or links it.",
    ),
    State.SYNCED: Words(
        "synced",
        "green",
        "check-circle",
        "synced",
        ItemTab.SYNCED,
        "It is in the ERP, under its ID.",
    ),
    State.UNLINKED: Words(
        "unlinked",
        "grey",
        "link-slash",
        "not_in_erp",
        None,
        "It was in the ERP, and its link there has ended.",
    ),
    State.RETRIEVED: Words(
        "retrieved",
        "yellow",
        "arrow-uturn-left",
        "not_in_erp",
        ItemTab.RETURNED,
        "Its sender took it back before anybody decided.",
    ),
    State.REJECTED: Words(
        "rejected",
        "yellow",
        "no-symbol",
        "rejected",
        ItemTab.RETURNED,
        "An approver handed it back to its sender.",
    ),
}


OPEN = frozenset(
    {
        State.READY,
        State.QUEUED,
        State.SENDING,
        State.SUBMITTED,
        State.UNCERTAIN,
        State.NEEDS_ANSWER,
        State.FAILED,
    }
)
# While an item is in one of these its ERP key belongs to it alone.
IN_AIR = frozenset(
    {State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN, State.NEEDS_ANSWER}
)
# Of these: something may be in the ERP already, or get there.
MAY_HAVE_LEFT = IN_AIR - {State.QUEUED}
MOVING = frozenset({State.QUEUED, State.SENDING, State.SUBMITTED, State.UNCERTAIN})
# May be accepted, for the first time or once more.
DECIDABLE = frozenset({State.READY, State.FAILED})
BEFORE_ACCEPTANCE = frozenset({State.READY, State.RETRIEVED, State.REJECTED})


def states_of_tab(tab: str) -> frozenset[State]:
    """The states whose items a list of the tool shows."""
    return frozenset(state for state, words in STATES.items() if words.tab == tab)


def label_for_sender(state: str) -> str:
    """What the person who sent the record reads."""
    return STATES[State(state)].to_sender or str(State(state).label)

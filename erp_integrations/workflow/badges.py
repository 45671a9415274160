"""Badges of items and records, made from the table of states; and the history's words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from erp_integrations.models.record_types import Sendable
from erp_integrations.models.states import STATES, State, label_for_sender

EVENT_WORDS = {
    "send": "Sent to the ERP for acceptance",
    "accept": "Accepted",
    "retrieve": "Retrieved",
    "reject": "Rejected",
    "claim": "Export started",
    "withdraw": "Withdrawn from the export",
    "sync": "Arrived in the ERP",
    "postpone": "Put off, will be tried again",
    "fail": "Failed to export",
    "submit": "Handed over, waiting for the ERP",
    "lose": "No answer, the outcome is unknown",
    "resend": "Looked up, not there: sent again",
    "ask": "Needs an answer",
    "answer_there": "Answered: it is there",
    "answer_absent": "Answered: it is not there",
    "retry": "Retried",
    "link_instead": "Linked to the record that is there",
    "link": "Linked to what the ERP holds",
    "use_anyway": "Said to be the same as what the ERP holds",
    "unlink": "Unlinked",
}


@dataclass(frozen=True)
class Badge:
    """How something is shown in a list: words, a color and a shape, so color is never alone."""

    key: str
    label: str
    color: str
    icon: str


NOT_SENT = Badge("none", "Not in ERP", "grey", "minus-circle")
DRIFTED = Badge("drifted", "Changed since sync", "yellow", "pencil-square")
# Of an item, for accounting; and for whoever sent it.
BADGES: dict[str, Badge] = {
    state: Badge(words.badge, str(state.label), words.color, words.icon)
    for state, words in STATES.items()
}
SENDER_BADGES: dict[str, Badge] = {
    state: replace(badge, label=label_for_sender(state)) for state, badge in BADGES.items()
}
LINKED, UNLINKED = BADGES[State.SYNCED], BADGES[State.UNLINKED]
# Of a record that is linked: what came back was an update, the record is in the ERP.
UPDATE_BACK: dict[str, Badge] = {
    State.RETRIEVED: replace(LINKED, key="retrieved", label="Synced, update retrieved"),
    State.REJECTED: replace(LINKED, key="rejected", label="Synced, update rejected"),
}
# A record whose link has ended is not in the ERP; that it was is said by its item alone.
BADGE_CHOICES: list[tuple[str, str]] = list(
    dict.fromkeys(
        (badge.key, badge.label)
        for badge in [NOT_SENT, *SENDER_BADGES.values(), DRIFTED]
        if badge != UNLINKED
    )
)


def badge(record: Sendable) -> Badge:
    """The badge of a record in its own tool; needs no query.

    A synced record stays green when an update of it came back.
    """
    if record.origin_id and record.erp_state in UPDATE_BACK:
        return UPDATE_BACK[record.erp_state]
    if record.drifted and record.erp_state in ("", State.SYNCED):
        return DRIFTED
    if record.erp_state in SENDER_BADGES:
        return SENDER_BADGES[record.erp_state]
    return LINKED if record.origin_id else NOT_SENT

"""Badges of items and records, derived from the table of states, and the words of the history."""

from __future__ import annotations

from dataclasses import dataclass, replace

from erp_integrations.models.record_types import Sendable
from erp_integrations.models.states import STATES, ItemEvent, State, label_for_sender

EVENT_WORDS: dict[str, str] = dict(ItemEvent.choices)


@dataclass(frozen=True)
class Badge:
    """How a state is shown in lists. The icon makes it readable without the color."""

    key: str
    label: str
    color: str
    icon: str


NOT_SENT = Badge("none", "Not in ERP", "gray", "minus-circle")
DRIFTED = Badge("drifted", "Changed since sync", "yellow", "pencil-square")
# Badges of items by state: with the labels for accounting, and with those for the sender.
BADGES: dict[str, Badge] = {
    state: Badge(words.badge, str(state.label), words.color, words.icon)
    for state, words in STATES.items()
}
SENDER_BADGES: dict[str, Badge] = {
    state: replace(badge, label=label_for_sender(state)) for state, badge in BADGES.items()
}
LINKED, UNLINKED = BADGES[State.SYNCED], BADGES[State.UNLINKED]
# A linked record whose update was retrieved or rejected is still in the ERP, so it stays green
# (docs/design/erp-integrations-states.md, "Badges").
UPDATE_BACK: dict[str, Badge] = {
    State.RETRIEVED: replace(LINKED, key="retrieved", label="Synced, update retrieved"),
    State.REJECTED: replace(LINKED, key="rejected", label="Synced, update rejected"),
}
# Choices of the list filter, each once: several states share a badge. Unlinked is left out, because
# a record whose link has ended is filtered as not in the ERP; only its item shows "unlinked".
BADGE_CHOICES: list[tuple[str, str]] = list(
    dict.fromkeys(
        (badge.key, badge.label)
        for badge in [NOT_SENT, *SENDER_BADGES.values(), DRIFTED]
        if badge != UNLINKED
    )
)


def badge(record: Sendable) -> Badge:
    """Return the badge of a record in its own tool, from the record's columns without a query."""
    if record.origin_id and record.erp_state in UPDATE_BACK:
        return UPDATE_BACK[record.erp_state]
    # While an item is open, its state is shown instead of the drift. Records that were linked
    # without an item have no state.
    if record.drifted and record.erp_state in ("", State.SYNCED):
        return DRIFTED
    if record.erp_state in SENDER_BADGES:
        return SENDER_BADGES[record.erp_state]
    return LINKED if record.origin_id else NOT_SENT

"""Which actions are available for an item, from the table of moves and the policy.

The pages and the API both use this, so that they offer the same actions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.models import Item, Link
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import MOVING, OPEN, ItemEvent, State
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.transitions import MOVES
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access


class Action(StrEnum):
    """A decision about one item; the value is its name in the API."""

    ACCEPT = "accept"
    RETRY = "retry"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    ANSWER = "answer"
    LINK_INSTEAD = "link_instead"
    USE_ANYWAY = "use_anyway"
    UNLINK = "unlink"


# The event of the answer "it is there", by state: the outcome is unknown, or the export failed, for
# example because the ERP has the ID already.
ANSWER_THERE: Mapping[State, ItemEvent] = {
    State.NEEDS_ANSWER: ItemEvent.ANSWER_THERE,
    State.FAILED: ItemEvent.LINK_INSTEAD,
}
STATES_OF: Mapping[Action, frozenset[State]] = {
    **{
        Action(event.value): sources
        for event, (sources, _target) in MOVES.items()
        if event.value in {*Action}
    },
    Action.ANSWER: frozenset(ANSWER_THERE),
    # Not while a worker compares the ID. QUEUED items can wait for a parent whose ID is not
    # compared.
    Action.USE_ANYWAY: OPEN - MOVING | {State.QUEUED},
}
DECISIONS = frozenset({Action.ACCEPT, Action.RETRY, Action.REJECT, Action.ANSWER})
# Actions that senders may not apply to their own items, unless the account allows it
# (docs/design/permissions.md, "The accounting approver").
FOR_A_SECOND_APPROVER = frozenset(
    {Action.ACCEPT, Action.RETRY, Action.LINK_INSTEAD, Action.USE_ANYWAY}
)


def possible(state: str) -> frozenset[Action]:
    """Return the actions that a state allows, regardless of the user."""
    return frozenset(action for action, states in STATES_OF.items() if state in states)


def available(
    item: Item,
    access: Access,
    *,
    manifest: EntityManifest | None,
    link: Link | None,
    matches: Sequence[Match],
    uncompared: Collection[object],
) -> list[Action]:
    """Return the actions that the user can apply to the item now, in the order of :class:`Action`.

    :param manifest: manifest of the item's record type; None if the adapter cannot be used.
    :param link: active link of the item's record.
    :param matches: ERP records that may be the same as the item's record.
    :param uncompared: links whose ERP ID was named by an API client and has not been compared.
    """
    decides = bool(access.can(Permission.ITEMS_ACCEPT, item.entity))
    own = item.needs_second_approver(access)
    allowed = possible(item.state)
    entitled = dict.fromkeys(Action, decides) | {
        # Values and keys are validated against the manifest, so exporting needs one. Rejecting
        # works without the adapter.
        Action.ACCEPT: decides and manifest is not None,
        Action.RETRY: decides and manifest is not None,
        Action.LINK_INSTEAD: decides and any(not match.linked_to for match in matches),
        Action.USE_ANYWAY: decides and bool(uncompared),
        Action.UNLINK: link is not None
        and bool(access.can(record_type(item.entity).unlink_action)),
    }
    return [
        action
        for action in Action
        if action in allowed and entitled[action] and not (own and action in FOR_A_SECOND_APPROVER)
    ]

"""What may be done with an item: from the table of moves and the policy, for every surface."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.models import Item, Link
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import MOVING, OPEN, State
from erp_integrations.workflow.accept.matches import Match
from erp_integrations.workflow.transitions import MOVES
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


# "It is there", of an item whose outcome is unknown, and of one whose ID the ERP has already.
ANSWER_THERE: Mapping[State, str] = {
    State.NEEDS_ANSWER: "answer_there",
    State.FAILED: "link_instead",
}
STATES_OF: Mapping[Action, frozenset[State]] = {
    **{action: MOVES[action][0] for action in Action if action in MOVES},
    Action.ANSWER: frozenset(ANSWER_THERE),
    # While no worker compares the ID by itself; an accepted item may wait for its parent.
    Action.USE_ANYWAY: OPEN - MOVING | {State.QUEUED},
}
DECISIONS = frozenset({Action.ACCEPT, Action.RETRY, Action.REJECT, Action.ANSWER})
# What the sender may not do with an own item where the account wants a second approver.
FOR_A_SECOND_APPROVER = frozenset(
    {Action.ACCEPT, Action.RETRY, Action.LINK_INSTEAD, Action.USE_ANYWAY}
)


def possible(state: str) -> frozenset[Action]:
    """What an item in this state allows, whoever asks."""
    return frozenset(action for action, states in STATES_OF.items() if state in states)


def available(
    item: Item,
    access: Access,
    *,
    manifest: EntityManifest | None,
    link: Link | None,
    matches: Sequence[Match],
    told: Collection[object],
) -> list[Action]:
    """What the person may do with the item now, in the order of :class:`Action`.

    :param manifest: of the connection's adapter, if it can be used.
    :param link: of the item's record.
    :param matches: what the ERP may hold of it already.
    :param told: IDs of the ERP that a program named and nobody has compared.
    """
    decides = bool(access.can("items.accept", item.entity))
    own = item.sent_by_id == access.user.pk and not access.account.senders_may_accept_own
    entitled = dict.fromkeys(Action, decides) | {
        Action.ACCEPT: decides and manifest is not None,
        Action.RETRY: decides and manifest is not None,
        Action.LINK_INSTEAD: decides and any(not match.linked_to for match in matches),
        Action.USE_ANYWAY: decides and bool(told),
        Action.UNLINK: link is not None
        and bool(access.can(record_type(item.entity).unlink_action)),
    }
    return [
        action
        for action in Action
        if action in possible(item.state)
        and entitled[action]
        and not (own and action in FOR_A_SECOND_APPROVER)
    ]

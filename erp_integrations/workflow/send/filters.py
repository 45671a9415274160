"""Which records are where on their way into the ERP, as filters on the records' own columns."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from erp_integrations.models import Item
from erp_integrations.models.record_types import locked
from erp_integrations.models.states import STATES, State
from erp_integrations.workflow.badges import DRIFTED, LINKED, NOT_SENT


def badge_filter(key: str) -> Q:
    """The records that carry the badge ``key``; all of them for an unknown key."""
    if key == NOT_SENT.key:
        return Q(erp_state="", origin_id="")
    linked = Q(erp_state=State.SYNCED) | (Q(erp_state="") & ~Q(origin_id=""))
    if key == LINKED.key:
        return linked & Q(drifted=False)
    if key == DRIFTED.key:
        return linked & Q(drifted=True)
    states = [state for state, words in STATES.items() if words.badge == key]
    return Q(erp_state__in=states) if states else Q()


def unsent(*, updates: bool = True) -> Q:
    """The records that a click on a list's button takes: new, handed back, or changed since.

    :param updates: whether the ERP takes changes of what it holds.
    """
    wanted = Q(origin_id="") | Q(drifted=True) if updates else Q(origin_id="")
    return wanted & ~locked()


def rejected_as_it_is(entity: str) -> Q:
    """The records that were rejected with a reason and have not been changed since."""
    said = Item.objects.filter(
        entity=entity,
        record_id=OuterRef("pk"),
        revision=OuterRef("revision"),
        state=State.REJECTED,
    )
    return Q(erp_state=State.REJECTED) & Q(Exists(said.exclude(decision_note="")))

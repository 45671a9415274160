"""Filters of records by their badge, and by whether a list's button sends them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from erp_integrations.models import Item
from erp_integrations.models.record_types import locked
from erp_integrations.models.states import STATES, State
from erp_integrations.workflow.badges import DRIFTED, LINKED, NOT_SENT


def badge_filter(key: str) -> Q:
    """Return a filter for the records with a badge; an unknown key filters nothing."""
    # Only by columns of the record, so that lists need no join.
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
    """Return a filter for the records that a list's button sends.

    They are unlocked, and not linked or edited since their last export.

    :param updates: whether the ERP accepts updates.
    """
    never_sent = Q(origin_id="") | Q(drifted=True) if updates else Q(origin_id="")
    return never_sent & ~locked()


def rejected_as_it_is(entity: str) -> Q:
    """Return a filter for the records that were rejected with a reason and not edited since."""
    # The revision grows with every edit, so an item with the present one is about these values.
    rejections = Item.objects.filter(
        entity=entity,
        record_id=OuterRef("pk"),
        revision=OuterRef("revision"),
        state=State.REJECTED,
    )
    return Q(erp_state=State.REJECTED) & Q(Exists(rejections.exclude(decision_note="")))

"""What waits for an approver: the count in the menu, and the page they land on after login."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from erp_integrations.models import Item
from erp_integrations.models.querysets import MOST_COUNTED, ItemQuerySet
from erp_integrations.models.record_types import RecordType, record_types
from erp_integrations.models.states import State, states_of_tab
from erp_integrations.workflow import scoped_urls
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.ui.waiting import Waiting

# The tabs in which an approver decides, or resolves failed items.
TO_DECIDE = ("ready", "failed")


def waiting_for(access: Access) -> Waiting | None:
    """Return how many items the person may decide about; None if they may decide nothing.

    Items that they sent themselves wait for somebody else, unless the account lets senders accept
    their own (docs/design/permissions.md, "The accounting approver").
    """
    kinds = _kinds(access)
    if not kinds:
        return None
    count = _items(access, kinds, TO_DECIDE).capped_count()
    # Exact counts of large lists are slow (docs/design/measured-choices.md, "Lists").
    return Waiting(count, f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}")


def landing(access: Access) -> str:
    """Return the URL of the first list in which something waits for the person.

    The caller makes sure that they may decide about at least one record type.
    """
    kinds = _kinds(access)
    # Items to accept come before failed ones, for all record types.
    lists = [(kind, tab) for tab in TO_DECIDE for kind in kinds]
    with_items = (pair for pair in lists if _items(access, [pair[0]], [pair[1]]).exists())
    kind, tab = next(with_items, lists[0])
    list_url = scoped_urls.to(access, "items", kind=kind.slug)
    # The tab "ready" is the one that a list opens with.
    return list_url if tab == "ready" else f"{list_url}?status={tab}"


def _kinds(access: Access) -> list[RecordType]:
    return [kind for kind in record_types() if access.can(Permission.ITEMS_ACCEPT, kind.entity)]


def _items(access: Access, kinds: Sequence[RecordType], tabs: Sequence[str]) -> ItemQuerySet:
    states = [state for tab in tabs for state in sorted(states_of_tab(tab))]
    entities = [kind.entity for kind in kinds]
    items: ItemQuerySet = Item.objects.visible_to(access)
    items = items.filter(entity__in=entities, state__in=states)
    if access.account.senders_may_accept_own:
        return items
    # Their own failed items count: rejecting and answering need no second approver.
    return items.exclude(Q(state=State.READY) & Q(sent_by=access.user))

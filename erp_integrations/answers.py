"""What a person decides about an item that the engine cannot decide alone."""

from __future__ import annotations

from django.db import transaction

from erp_integrations import moves
from erp_integrations.adapters.base import AdapterError, Found
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_of
from erp_integrations.guard import LONGEST_ID, plain
from erp_integrations.links import holder_of
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.queries import ItemQuerySet
from erp_integrations.settling import NO_ERROR, Held, settle_synced
from erp_integrations.states import State
from erp_integrations.wakeups import wake
from erpbridge.access.models import User

MOVED_ON = "Somebody else, or the engine, has moved it on. Look at it as it is now."


@transaction.atomic
def it_is_there(
    item: Item, *, erp_id: str, erp_code: str, by: User, erp_version: str = "", why: str = ""
) -> str:
    """The ERP holds this record: link to it and write nothing.

    Answers an item that needs an answer, and is the way out of "this ID exists already".

    :returns: why not, or an empty text once it is linked.
    """
    if not erp_id or max(len(erp_id), len(erp_code)) > LONGEST_ID:
        return f"An ID of the ERP has from 1 to {LONGEST_ID} characters."
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    holder = holder_of(item.connection, item.entity, erp_id)
    if holder is not None and holder.record_id != item.record_id:
        return f"{erp_code or erp_id} is linked to another record already."
    event = "link_instead" if item.state == State.FAILED else "answer_there"
    settled = settle_synced(
        item.connection_id,
        Item.objects.all(),
        {item.pk: Held(erp_id, erp_code, erp_version)},
        event=event,
        by=by,
        why=why,
        as_sent=False,
    )
    return "" if settled else MOVED_ON


@transaction.atomic
def it_is_not_there(item: Item, *, by: User, why: str = "") -> str:
    """A person looked and the ERP does not hold it: send it again, as the same command.

    :returns: why not, or an empty text once it is queued.
    """
    found: ItemQuerySet = Item.objects.filter(pk=item.pk)
    values = {"not_before": None, "looks": 0, "attempts": 0, **NO_ERROR}
    if not moves.move("answer_absent", found, by=by, why=why, values=values):
        return MOVED_ON
    unknown = Attempt.objects.filter(item=item, outcome__in=Attempt.UNKNOWN)
    unknown.update(outcome=Attempt.Outcome.NOT_APPLIED)
    wake(item.connection_id)
    return ""


def look_up_and_link(item: Item, *, key: str, by: User, why: str = "") -> str:
    """Find the record a person names in the ERP itself, then link to it.

    :param key: its key or id in the ERP, as typed.
    :returns: why not, or an empty text once it is linked.
    """
    found = look_up(item, key)
    return link_to(item, found, by=by, why=why) if isinstance(found, Found) else found


def look_up(item: Item, key: str) -> Found | str:
    """What the ERP itself holds under a key or id, as typed; or why nothing was found.

    Not to be called in a transaction, which would keep its locks until the ERP has answered.
    """
    try:
        adapter = adapter_of(item.connection)
        found = adapter.find(item.entity, plain(key).strip())
    except AdapterUnavailable as error:
        return str(error)
    except AdapterError as error:
        return f"The ERP could not be asked: {error}"
    if not isinstance(found, Found):
        return (
            f"The ERP has no single record {key!r}. Check the ID, or answer that it is not there."
        )
    return found


def link_to(item: Item, found: Found, *, by: User, why: str = "") -> str:
    """Link to what the ERP was found to hold.

    :returns: why not, or an empty text once it is linked.
    """
    return it_is_there(
        item,
        erp_id=found.erp_id,
        erp_code=found.erp_code,
        erp_version=found.erp_version,
        by=by,
        why=why,
    )

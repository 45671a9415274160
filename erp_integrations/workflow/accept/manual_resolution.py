"""Decisions of a person about items that the engine cannot resolve.

The person says whether the record is in the ERP, and links the item to it or sends it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from erp_integrations.adapters.base import AdapterError, Delivery, Found, Operation
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections.adapter_loading import adapter_of, manifest_of
from erp_integrations.connections.safe_adapter import LONGEST_ID, plain
from erp_integrations.connections.wakeups import wake
from erp_integrations.models import Attempt, Connection, Item
from erp_integrations.models.erp_records import active_links
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import DECIDABLE, ItemEvent, State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.accept.actions import ANSWER_THERE
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.links.link_existing import note_agreement
from erp_integrations.workflow.links.services import holder_of
from erp_integrations.workflow.links.settlement import NO_ERROR, ErpRef, settle_synced
from erp_integrations.workflow.refusals import MovedOn
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.refusals import Refused

# Deliveries in which erpbridge cannot call the ERP: a person moves files, or the ERP polls.
UNASKED = (Delivery.FILE, Delivery.POLLED)


@transaction.atomic
def it_is_there(
    item: Item, *, erp_id: str, erp_code: str, by: User, erp_version: str = "", why: str = ""
) -> None:
    """Link the item to an ERP record that a person named, without writing to the ERP.

    For items that need an answer, and for failed items, such as those whose ID the ERP has already.

    :raises Refused: if it cannot be linked, with the reason.
    """
    if not erp_id or max(len(erp_id), len(erp_code)) > LONGEST_ID:
        raise Refused(f"An ID of the ERP has from 1 to {LONGEST_ID} characters.")
    # In any other state the move finds no item, and MovedOn is raised.
    event = ANSWER_THERE.get(State(item.state), ItemEvent.ANSWER_THERE)
    _link(item, ErpRef(erp_id, erp_code, erp_version), event=event, by=by, why=why)


def _link(
    item: Item,
    erp_ref: ErpRef,
    *,
    event: ItemEvent,
    by: User,
    why: str,
    columns: Mapping[str, object] | None = None,
) -> None:
    """Settle the item as synced with an ERP record.

    :raises Refused: if another record has the ERP ID, or children keep the present one.
    """
    # Whoever links holds this lock, so the checks below stay true until the transaction ends.
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    holder = holder_of(item.connection, item.entity, erp_ref.erp_id)
    if holder is not None and holder.record_id != item.record_id:
        raise Refused(f"{erp_ref.erp_code or erp_ref.erp_id} is linked to another record already.")
    _check_children(item, erp_ref)
    settled = settle_synced(
        item.connection,
        Item.objects.all(),
        {item.pk: erp_ref},
        event=event,
        by=by,
        why=why,
        as_sent=False,
        columns=columns,
    )
    if not settled:
        raise MovedOn


def _check_children(item: Item, erp_ref: ErpRef) -> None:
    """Check that the ERP ID does not change while a child may be exported under it.

    :raises Refused: if it does.
    """
    present = active_links(item.connection, item.entity, [item.record_id])
    if all(link.erp_id == erp_ref.erp_id for link in present.values()):
        return
    kind = record_type(item.entity)
    kept = unlink_services.kept_by_exports(kind, item.account_id, present)
    if item.record_id in kept:
        raise Refused(kept[item.record_id])


@transaction.atomic
def link_instead(item: Item, *, erp_id: str, seen: str, access: Access, why: str = "") -> None:
    """Link an item that waits or failed to an existing ERP record, instead of exporting it.

    Only to a record that the ERP had at the last refresh; the ERP is not called.

    :param erp_id: ID of the ERP record, one of ``accept.matches.matches``.
    :param seen: digest of the item as the user saw it.
    :raises Refused: if it cannot be linked, with the reason.
    """
    # Read again under the lock that sends, decisions and claims hold too (docs/locks.md).
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    item.refresh_from_db()
    if item.operation != Operation.CREATE or item.state not in DECIDABLE:
        raise MovedOn
    if seen != item.digest:
        raise Refused("It is not the revision you looked at. Open it again, then decide.")
    if item.needs_second_approver(access):
        raise Refused("You sent it yourself; a second approver has to link it.")
    record = item.connection.erp_records.filter(entity=item.entity, erp_id=erp_id).first()
    if record is None:
        raise Refused(
            f"The ERP had no record {erp_id!r} when it was last refreshed. Refresh, then look."
        )
    columns: dict[str, object] = {}
    # This is the first decision about a READY item. The constraint ``intent_once_accepted``
    # requires an intent from then on, although no command is sent.
    if item.state == State.READY:
        columns = {"intent": uuid.uuid4(), "decided_by": access.user, "decided_at": Now()}
    erp_ref = ErpRef(record.erp_id, record.erp_code, record.erp_version)
    _link(item, erp_ref, event=ItemEvent.LINK_INSTEAD, by=access.user, why=why, columns=columns)
    note_agreement(item.account_id, item.entity, [item.record_id])


@transaction.atomic
def it_is_not_there(item: Item, *, by: User, why: str = "") -> None:
    """Send the item again, because a person found that the ERP does not have it.

    It is the same command, with the same intent.

    :raises MovedOn: if the item does not need an answer any more.
    """
    # This moves one item, so it locks the item without its connection (docs/locks.md).
    unresolved: ItemQuerySet = Item.objects.filter(pk=item.pk)
    values = {"not_before": None, "looks": 0, "attempts": 0, **NO_ERROR}
    if not transitions.move(ItemEvent.ANSWER_ABSENT, unresolved, by=by, why=why, values=values):
        raise MovedOn
    # The answer of the person is the outcome of all attempts that had none.
    unknown = Attempt.objects.filter(item=item, outcome__in=Attempt.UNKNOWN)
    unknown.update(outcome=Attempt.Outcome.NOT_APPLIED)
    wake(item.connection_id)


def look_up_and_link(item: Item, *, key: str, by: User, why: str = "") -> None:
    """Link the item to the ERP record that a person named, for commands.

    Pages and REST calls start :mod:`lookup_job` instead. Must not be called inside a transaction.

    :param key: key or ID in the ERP, as the user typed it.
    :raises Refused: if the ERP does not have the record, or it cannot be linked.
    """
    if can_look_up(item):
        link_to(item, look_up(item, key), by=by, why=why)
    else:
        link_unchecked(item, key=key, by=by, why=why)


def can_look_up(item: Item) -> bool:
    """Whether the ERP can be called for a record, or takes files or polls.

    :raises Refused: if its adapter cannot be used.
    """
    try:
        manifest = manifest_of(item.connection)
    except AdapterUnavailable as error:
        raise Refused(str(error)) from error
    return manifest.can_find and manifest.delivery not in UNASKED


def link_unchecked(item: Item, *, key: str, by: User, why: str = "") -> None:
    """Link the item to a record of an ERP that cannot be called, as the user typed it.

    :param key: key or ID in the ERP.
    :raises Refused: if it cannot be an ID, or cannot be linked.
    """
    link_to(item, _believed(item, plain(key).strip()), by=by, why=why)


def _believed(item: Item, typed: str) -> Found:
    """The ERP record that a person named, with its code and version if it was seen before.

    :raises Refused: if the text cannot be an ID.
    """
    if not 0 < len(typed) <= LONGEST_ID:
        raise Refused(f"An ID of the ERP has from 1 to {LONGEST_ID} characters.")
    named = Q(erp_id=typed) | Q(erp_code=typed)
    seen = item.connection.erp_records.filter(named, entity=item.entity)[:2]
    # The ID of one record can be the code of another: the match by ID comes first.
    records = sorted(seen, key=lambda record: record.erp_id != typed)
    if not records:
        return Found(typed, item.erp_key or typed, "", {})
    first = records[0]
    return Found(first.erp_id, first.erp_code, first.erp_version, first.data)


def look_up(item: Item, key: str) -> Found:
    """Return the ERP record with a key or ID, as the user typed it.

    The ERP is called, so this must run in a background job or a command, and not inside a
    transaction, which would keep its locks until the ERP answers.

    :raises Refused: if the ERP has no such record or several, or cannot be reached.
    """
    try:
        in_erp = adapter_of(item.connection).find(item.entity, plain(key).strip())
    except AdapterUnavailable as error:
        raise Refused(str(error)) from error
    except AdapterError as error:
        raise Refused(f"The ERP could not be asked: {error}") from error
    if not isinstance(in_erp, Found):
        raise Refused(
            f"The ERP has no single record {key!r}. Check the ID, or answer that it is not there."
        )
    return in_erp


def link_to(item: Item, in_erp: Found, *, by: User, why: str = "") -> None:
    """Link the item to a record that :func:`look_up` has found.

    :raises Refused: if it cannot be linked, with the reason.
    """
    it_is_there(
        item,
        erp_id=in_erp.erp_id,
        erp_code=in_erp.erp_code,
        erp_version=in_erp.erp_version,
        by=by,
        why=why,
    )

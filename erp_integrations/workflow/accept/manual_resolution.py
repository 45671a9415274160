"""What a person decides about an item that the engine cannot decide alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

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
from erp_integrations.models.states import DECIDABLE, State
from erp_integrations.workflow import transitions
from erp_integrations.workflow.accept.actions import ANSWER_THERE
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.links.link_existing import note_agreement
from erp_integrations.workflow.links.services import holder_of
from erp_integrations.workflow.links.settlement import NO_ERROR, Held, settle_synced
from erp_integrations.workflow.refusals import MovedOn
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.refusals import Refused

# No call of ours reaches the ERP.
UNASKED = (Delivery.FILE, Delivery.POLLED)


@transaction.atomic
def it_is_there(
    item: Item, *, erp_id: str, erp_code: str, by: User, erp_version: str = "", why: str = ""
) -> None:
    """The ERP holds this record: link to it and write nothing.

    Answers an item that needs an answer, and is the way out of "this ID exists already".

    :raises Refused: where it cannot be linked so.
    """
    if not erp_id or max(len(erp_id), len(erp_code)) > LONGEST_ID:
        raise Refused(f"An ID of the ERP has from 1 to {LONGEST_ID} characters.")
    event = ANSWER_THERE.get(State(item.state), "answer_there")
    _link(item, Held(erp_id, erp_code, erp_version), event=event, by=by, why=why)


def _link(
    item: Item,
    held: Held,
    *,
    event: str,
    by: User,
    why: str,
    columns: Mapping[str, Any] | None = None,
) -> None:
    """Settle the item as the ERP's record that a person named. :raises Refused: where it cannot."""
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    holder = holder_of(item.connection, item.entity, held.erp_id)
    if holder is not None and holder.record_id != item.record_id:
        raise Refused(f"{held.erp_code or held.erp_id} is linked to another record already.")
    _check_children(item, held)
    settled = settle_synced(
        item.connection_id,
        Item.objects.all(),
        {item.pk: held},
        event=event,
        by=by,
        why=why,
        as_sent=False,
        columns=columns,
    )
    if not settled:
        raise MovedOn


def _check_children(item: Item, held: Held) -> None:
    """A record keeps its ERP id while a child may be on its way to it. :raises Refused: then."""
    present = active_links(item.connection, item.entity, [item.record_id])
    if all(link.erp_id == held.erp_id for link in present.values()):
        return
    kind = record_type(item.entity)
    kept = unlink_services.kept_by_exports(kind, item.account_id, present)
    if item.record_id in kept:
        raise Refused(kept[item.record_id])


@transaction.atomic
def link_instead(item: Item, *, erp_id: str, seen: str, access: Access, why: str = "") -> None:
    """A person who could accept the item says that the ERP holds it: link, and write nothing.

    Only to what the ERP held when it was last refreshed; the ERP itself is not asked.

    :param erp_id: of a record of the ERP, as :func:`matching.matches` shows it.
    :param seen: digest of the item as the person saw it.
    :raises Refused: where it cannot be linked so.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    item.refresh_from_db()
    if item.operation != Operation.CREATE or item.state not in DECIDABLE:
        raise MovedOn
    if seen != item.digest:
        raise Refused("It is not the revision you looked at. Open it again, then decide.")
    if item.sent_by_id == access.user.pk and not access.account.senders_may_accept_own:
        raise Refused("You sent it yourself; a second approver has to link it.")
    record = item.connection.erp_records.filter(entity=item.entity, erp_id=erp_id).first()
    if record is None:
        raise Refused(
            f"The ERP held no record {erp_id!r} when it was last refreshed. Refresh, then look."
        )
    columns: dict[str, Any] = {}
    if item.state == State.READY:
        columns = {"intent": uuid.uuid4(), "decided_by": access.user, "decided_at": Now()}
    held = Held(record.erp_id, record.erp_code, record.erp_version)
    _link(item, held, event="link_instead", by=access.user, why=why, columns=columns)
    note_agreement(item.account_id, item.entity, [item.record_id])


@transaction.atomic
def it_is_not_there(item: Item, *, by: User, why: str = "") -> None:
    """A person looked and the ERP does not hold it: send it again, as the same command.

    :raises MovedOn: where it needs no answer any more.
    """
    found: ItemQuerySet = Item.objects.filter(pk=item.pk)
    values = {"not_before": None, "looks": 0, "attempts": 0, **NO_ERROR}
    if not transitions.move("answer_absent", found, by=by, why=why, values=values):
        raise MovedOn
    unknown = Attempt.objects.filter(item=item, outcome__in=Attempt.UNKNOWN)
    unknown.update(outcome=Attempt.Outcome.NOT_APPLIED)
    wake(item.connection_id)


def look_up_and_link(item: Item, *, key: str, by: User, why: str = "") -> None:
    """Find the record a person names in the ERP itself, then link to it.

    :param key: its key or id in the ERP, as typed.
    :raises Refused: where the ERP holds no such record, or it cannot be linked.
    """
    link_to(item, look_up(item, key), by=by, why=why)


def _believed(item: Item, typed: str) -> Found:
    """What a person says that the ERP holds; with its code, where it was seen there before.

    :raises Refused: for what can be no ID.
    """
    if not 0 < len(typed) <= LONGEST_ID:
        raise Refused(f"An ID of the ERP has from 1 to {LONGEST_ID} characters.")
    named = Q(erp_id=typed) | Q(erp_code=typed)
    seen = item.connection.erp_records.filter(named, entity=item.entity)[:2]
    records = sorted(seen, key=lambda one: one.erp_id != typed)
    if not records:
        return Found(typed, item.erp_key or typed, "", {})
    first = records[0]
    return Found(first.erp_id, first.erp_code, first.erp_version, first.data)


def look_up(item: Item, key: str) -> Found:
    """What the ERP itself holds under a key or id, as typed.

    Where the ERP cannot be asked, because a person feeds it or it does the asking, the person who
    has looked there is believed. Not to be called in a transaction, which would keep its locks
    until the ERP has answered.

    :raises Refused: where it holds no single record of it, or cannot be asked.
    """
    typed = plain(key).strip()
    try:
        manifest = manifest_of(item.connection)
        if not manifest.can_find or manifest.delivery in UNASKED:
            return _believed(item, typed)
        found = adapter_of(item.connection).find(item.entity, typed)
    except AdapterUnavailable as error:
        raise Refused(str(error)) from error
    except AdapterError as error:
        raise Refused(f"The ERP could not be asked: {error}") from error
    if not isinstance(found, Found):
        raise Refused(
            f"The ERP has no single record {key!r}. Check the ID, or answer that it is not there."
        )
    return found


def link_to(item: Item, found: Found, *, by: User, why: str = "") -> None:
    """Link to what the ERP was found to hold. :raises Refused: where it cannot be linked."""
    it_is_there(
        item,
        erp_id=found.erp_id,
        erp_code=found.erp_code,
        erp_version=found.erp_version,
        by=by,
        why=why,
    )

"""IDs that a program named: compared with what the ERP holds before anything is written by them.

An integrator says over REST what a record is called in the ERP. Nobody has seen that it is the same
record, so the first command that needs the ID (an update, or a create under it) waits for a look by
ID. What differs, or is not there, is a question for accounting, and never overwritten. An ERP that
cannot be asked leaves the question to a person, once, before the item is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction

from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Effect,
    EntityManifest,
    ErpError,
    ErrorClass,
    Found,
    Manifest,
    Operation,
    Problem,
)
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Item, Link
from erp_integrations.models.match_keys import name_key
from erp_integrations.models.states import MOVING, OPEN, State
from erp_integrations.workflow.parents import release_children
from erp_integrations.workflow.payloads import erp_keys
from erp_integrations.workflow.payloads.commands import Claim
from erp_integrations.workflow.refusals import NotTaken
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, note

# What people know a record by, beside its key.
NAMES = ("name", "description")
ADVICE = (
    "If the two are the same, choose Use It Anyway. If not, reject this, then have the record "
    "unlinked."
)
NOTHING_LEFT = Problem(
    "state",
    "decided",
    "No ERP ID of it waits for a comparison: it has been compared or changed meanwhile, or is "
    "being compared right now. Look at the item as it is now.",
)
OTHER_ID = Problem(
    "origin_ids",
    "stale",
    "It has another ERP ID than the one you looked at. Look at the item as it is now, then at that "
    "record in the ERP.",
)
OWN = Problem(
    "sent_by", "own", "You sent it yourself; a second approver has to say that it is the same."
)


def needed(item: Item) -> list[Link]:
    """The links that a command of the item is written by, and nobody has compared yet: its
    parent's, and the record's own where that is there already.
    """
    records = [item.parent_id] if item.parent_id is not None else []
    if item.operation != Operation.CREATE:
        records.append(item.record_id)
    found = Link.objects.active().filter(
        connection=item.connection_id, entity=item.entity, record_id__in=records
    )
    return list(found.filter(told=True))


def asked(item: Item) -> list[Link]:
    """The links that a person can be asked about now: not while the worker compares by itself."""
    held_up = item.state == State.QUEUED and item.waits_for is not None
    return needed(item) if item.state in OPEN - MOVING or held_up else []


def look(adapter: Adapter, manifest: Manifest, one: Claim) -> ErpError | None:
    """Why a claimed command must not be sent by the IDs that it names. What is the same is noted,
    and the command takes the key and the version that were seen.

    Claims of one batch share their links, so that each is looked at once.
    """
    entity = manifest.entities[one.item.entity]
    if one.parent is not None and one.parent.told:
        seen = _compared(adapter, manifest, entity, one.parent, [])
        if isinstance(seen, ErpError):
            return seen
    own = _own(one)
    if own is None or not (own.told or manifest.can_compare):
        return None
    seen = _compared(adapter, manifest, entity, own, [one.item.payload])
    return seen if isinstance(seen, ErpError) else _take_up(one, entity, seen)


def unasked(one: Claim) -> ErpError | None:
    """The same where no worker asks the ERP. Under a parent that nobody compared nothing is claimed
    there.
    """
    own = _own(one)
    return _cannot_ask(own) if own is not None and own.told else None


def _own(one: Claim) -> Link | None:
    """The record's own link, where something is to be seen before it is written by."""
    return one.link if one.unseen and one.item.operation != Operation.CREATE else None


def _compared(
    adapter: Adapter,
    manifest: Manifest,
    entity: EntityManifest,
    link: Link,
    payloads: list[Mapping[str, Any]],
) -> Found | ErpError:
    """What the ERP holds under the ID of a link, or why nothing must be written by it."""
    if not manifest.can_compare:
        return _cannot_ask(link)
    try:
        found = adapter.fetch(link.entity, link.erp_id)
    except AdapterError as error:
        return replace(error.error, effect=Effect.NOT_APPLIED)
    if found is None:
        return ErpError(
            ErrorClass.MISSING_REF,
            Effect.NOT_APPLIED,
            f"{named(link)}, and the ERP holds nothing under it. Nothing was written.",
            advice="Reject this, then have the record unlinked or the ID put right.",
        )
    if link.told and (apart := differences(entity, link, found, payloads)):
        return _question(f"{named(link)}. {'; '.join(apart)}. Nothing was written.")
    link.told, link.erp_version = False, found.erp_version
    link.erp_code = found.erp_code or link.erp_code
    columns = {name: getattr(link, name) for name in ("told", "erp_version", "erp_code")}
    Link.objects.active().filter(pk=link.pk, erp_id=link.erp_id).update(**columns)
    return found


def named(link: Link) -> str:
    """Which ID it is about, and whose it is said to be."""
    return f"{link} was linked to the ERP's ID {link.erp_id} over the API"


def _cannot_ask(link: Link) -> ErpError:
    return _question(f"{named(link)}, and this ERP cannot be asked whether it is the same.")


def _question(message: str) -> ErpError:
    return ErpError(ErrorClass.CONFLICT, Effect.NOT_APPLIED, message, advice=ADVICE)


def differences(
    entity: EntityManifest, link: Link, found: Found, payloads: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What tells the ERP's record from ours, by key and name; both sides in words.

    :param payloads: what the record is to be, beside what it was when the ID was named.
    """
    ours = [link.synced_payload, *payloads]
    apart, asked = [], 0
    codes = [link.erp_code] if link.erp_code else []
    for name in (*entity.key, *NAMES):
        is_key = name in entity.key
        held = found.erp_code if is_key else found.data.get(name)
        sent = [str(one[name]) for one in ours if one.get(name)] or (codes if is_key else [])
        if held is None or not sent:
            continue
        asked += 1
        same = erp_keys.compared(entity, str(held)) if is_key else name_key(str(held))
        if same not in {
            erp_keys.compared(entity, one) if is_key else name_key(one) for one in sent
        }:
            apart.append(f"{entity.label_of(name)}: “{held}” in the ERP, “{sent[0]}” here")
    return apart if asked else ["There is nothing by which the two could be compared"]


def _take_up(one: Claim, entity: EntityManifest, found: Found) -> ErpError | None:
    """Let the command go by the key and the version that were seen."""
    key = erp_keys.as_sent(entity, found.erp_code or one.command.key)
    one.command = replace(one.command, key=key, erp_version=found.erp_version)
    if key == one.item.erp_key:
        return None
    held = Item.objects.filter(pk=one.item.pk, fence=one.item.fence)
    try:
        with transaction.atomic():
            held.update(erp_key=key, erp_key_compared=erp_keys.compared(entity, key))
    except IntegrityError:
        message = f"{key} is being exported for another record. Nothing was written."
        return replace(_question(message), advice="Retry once that has arrived.")
    one.item.erp_key = key
    return None


@transaction.atomic
def use_anyway(item: Item, *, seen: Collection[str], access: Access, why: str) -> None:
    """A person who decides about the item has looked: the ERP's record is the right one.

    :param seen: the IDs of the ERP under which the person has looked.
    :raises NotTaken: where no ID of it waits for that, or the person may not say so.
    """
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    item.refresh_from_db()
    found = asked(item)
    if not found:
        raise NotTaken([NOTHING_LEFT])
    if item.sent_by_id == access.user.pk and not access.account.senders_may_accept_own:
        raise NotTaken([OWN])
    if {link.erp_id for link in found} != set(seen):
        raise NotTaken([OTHER_ID])
    # The key that a program named is no key of this record: the worker reads it there.
    columns = {"erp_code": ""} if connection_services.can_compare(item.connection) else {}
    Link.objects.filter(pk__in=[link.pk for link in found]).update(told=False, **columns)
    said = [
        Note(link.entity, link.record_id, str(link), "use_anyway", note=why, data=_ids(link))
        for link in found
    ]
    note(item.account_id, said, by=access.user)
    release_children(item.connection_id, item.entity, [link.record_id for link in found])


def _ids(link: Link) -> dict[str, str]:
    return {"erp_id": link.erp_id}


def not_compared(connection: Connection, needs: Iterable[Link | None]) -> str:
    """What stands against accepting by these links: an ERP that cannot be asked, and a person has
    not been; empty where nothing does.
    """
    told = [link for link in needs if link is not None and link.told]
    if not told or connection_services.can_compare(connection):
        return ""
    return (
        f"{named(told[0])}, and this ERP cannot be asked whether it is the same. Look there, then "
        "choose Use It Anyway on the item's page, or reject it and have the record unlinked."
    )

"""Comparison of ERP IDs that an API client named with the ERP, before anything is written by them.

An API client can set the ERP ID of a record, and nobody has verified that it is the same record.
Before the first command that uses the ID (an update, or a create under it) the ERP record is read
by its ID. If it differs or does not exist, nothing is written and accounting decides. If the
adapter cannot read records by ID, a person confirms the ID once, before the item is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

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

# Payload fields that are compared besides the key: by these people recognize a record.
NAMES = ("name", "description")
ADVICE = (
    "If the two are the same, choose Use it anyway. If not, reject this, then have the record "
    "unlinked."
)
NOTHING_LEFT = Problem(
    "state",
    "decided",
    "No ERP ID of it waits for a comparison: it has been compared or changed meanwhile, or is "
    "being compared right now. Review the item's current state.",
)
OTHER_ID = Problem(
    "origin_ids",
    "stale",
    "It has another ERP ID than the one you looked at. Review the item, then that record in "
    "the ERP.",
)
OWN = Problem(
    "sent_by", "own", "You sent it yourself; a second approver has to say that it is the same."
)


def needed(item: Item) -> list[Link]:
    """Return the links that the item's command uses and that are not compared yet.

    They are the parent's link and, for an update, the record's own.
    """
    records = [item.parent_id] if item.parent_id is not None else []
    if item.operation != Operation.CREATE:
        records.append(item.record_id)
    links = Link.objects.active().filter(
        connection=item.connection_id, entity=item.entity, record_id__in=records
    )
    return list(links.filter(told=True))


def asked(item: Item) -> list[Link]:
    """Return the links that a person can confirm now, none while a worker may compare them."""
    # QUEUED is in MOVING, but an item that waits for its parent cannot be claimed.
    held_up = item.state == State.QUEUED and item.waits_for is not None
    return needed(item) if item.state in OPEN - MOVING or held_up else []


def is_due(manifest: Manifest, claim: Claim) -> bool:
    """Whether an ERP record has to be read before the command of a claim is sent."""
    own = _own(claim)
    return bool(claim.parent and claim.parent.told) or (
        own is not None and (own.told or manifest.can_compare)
    )


def look(adapter: Adapter, manifest: Manifest, claim: Claim) -> ErpError | None:
    """Compare the uncompared IDs of a claimed command; returns why it must not be sent, if so.

    Matching links are stored as compared, and the command gets the ERP's key and version. The ERP
    is called, so this must not run inside a transaction.
    """
    # Claims of one batch share their link objects, so that each ID is read once per batch.
    entity = manifest.entities[claim.item.entity]
    if claim.parent is not None and claim.parent.told:
        result = _compared(adapter, manifest, entity, claim.parent, [])
        if isinstance(result, ErpError):
            return result
    own = _own(claim)
    if own is None or not (own.told or manifest.can_compare):
        return None
    result = _compared(adapter, manifest, entity, own, [claim.item.payload])
    return result if isinstance(result, ErpError) else _take_up(claim, entity, result)


def unasked(claim: Claim) -> ErpError | None:
    """Return why a command must not be sent, for deliveries in which the ERP cannot be called."""
    # The parent need not be checked: nothing is claimed under a parent that is not compared.
    own = _own(claim)
    return _cannot_ask(own) if own is not None and own.told else None


def _own(claim: Claim) -> Link | None:
    """The record's own link, if the ERP record has to be read before an update."""
    return claim.link if claim.unseen and claim.item.operation != Operation.CREATE else None


def _compared(
    adapter: Adapter,
    manifest: Manifest,
    entity: EntityManifest,
    link: Link,
    payloads: list[Mapping[str, object]],
) -> Found | ErpError:
    """The ERP record of a link, or why nothing must be written to it."""
    if not manifest.can_compare:
        return _cannot_ask(link)
    try:
        erp_record = adapter.fetch(link.entity, link.erp_id)
    except AdapterError as error:
        # A read has no effect, whatever the adapter says of its error.
        return replace(error.error, effect=Effect.NOT_APPLIED)
    if erp_record is None:
        return ErpError(
            ErrorClass.MISSING_REF,
            Effect.NOT_APPLIED,
            f"{named(link)}, and the ERP holds nothing under it. Nothing was written.",
            advice="Reject this, then have the record unlinked or the ID put right.",
        )
    if link.told and (apart := differences(entity, link, erp_record, payloads)):
        return _question(f"{named(link)}. {'; '.join(apart)}. Nothing was written.")
    link.told, link.erp_version = False, erp_record.erp_version
    link.erp_code = erp_record.erp_code or link.erp_code
    columns = {name: getattr(link, name) for name in ("told", "erp_version", "erp_code")}
    # No transaction is open while the ERP is called: the link may have ended or changed meanwhile.
    Link.objects.active().filter(pk=link.pk, erp_id=link.erp_id).update(**columns)
    return erp_record


def named(link: Link) -> str:
    """Return the beginning of a message: the record, and the ERP ID that was named for it."""
    return f"{link} was linked to the ERP's ID {link.erp_id} over the API"


def _cannot_ask(link: Link) -> ErpError:
    return _question(f"{named(link)}, and this ERP cannot be asked whether it is the same.")


def _question(message: str) -> ErpError:
    return ErpError(ErrorClass.CONFLICT, Effect.NOT_APPLIED, message, advice=ADVICE)


def differences(
    entity: EntityManifest, link: Link, erp_record: Found, payloads: Sequence[Mapping[str, object]]
) -> list[str]:
    """Return how an ERP record differs from ours in key and name, as messages with both values.

    :param payloads: further versions of the record; agreeing with one version is enough.
    """
    # The record may have been renamed after the API client named its ID.
    versions = [link.synced_payload, *payloads]
    messages, compared_fields = [], 0
    codes = [link.erp_code] if link.erp_code else []
    for name in (*entity.key, *NAMES):
        is_key = name in entity.key
        erp_value = erp_record.erp_code if is_key else erp_record.data.get(name)
        our_values = [str(version[name]) for version in versions if version.get(name)] or (
            codes if is_key else []
        )
        # A field that one side does not have says nothing about whether they are the same.
        if erp_value is None or not our_values:
            continue
        compared_fields += 1
        erp_form = erp_keys.compared(entity, str(erp_value)) if is_key else name_key(str(erp_value))
        if erp_form not in {
            erp_keys.compared(entity, value) if is_key else name_key(value) for value in our_values
        }:
            messages.append(
                f"{entity.label_of(name)}: “{erp_value}” in the ERP, “{our_values[0]}” here"
            )
    return messages if compared_fields else ["There is nothing by which the two could be compared"]


def _take_up(claim: Claim, entity: EntityManifest, erp_record: Found) -> ErpError | None:
    """Put the ERP's key and version into the command, and the key into the item.

    Returns an error if another item in export has that key.
    """
    key = erp_keys.as_sent(entity, erp_record.erp_code or claim.command.key)
    claim.command = replace(claim.command, key=key, erp_version=erp_record.erp_version)
    if key == claim.item.erp_key:
        return None
    # With the fence, so that a worker whose lease has expired changes nothing.
    claimed = Item.objects.filter(pk=claim.item.pk, fence=claim.item.fence)
    try:
        with transaction.atomic():
            claimed.update(erp_key=key, erp_key_compared=erp_keys.compared(entity, key))
    # The constraint ``one_key_in_air``.
    except IntegrityError:
        message = f"{key} is being exported for another record. Nothing was written."
        return replace(_question(message), advice="Retry once that has arrived.")
    claim.item.erp_key = key
    return None


@transaction.atomic
def use_anyway(item: Item, *, seen: Collection[str], access: Access, why: str) -> None:
    """Store the confirmation of a person that the named ERP IDs of an item are the right ones.

    :param seen: the ERP IDs that the person has checked in the ERP.
    :raises NotTaken: if no ID waits for a confirmation, it is another ID than the person has
        checked, or the person sent the item and the account requires a second approver.
    """
    # Claims and links hold this lock too, so what is read below stays true until the commit.
    Connection.objects.select_for_update(no_key=True).get(pk=item.connection_id)
    item.refresh_from_db()
    links = asked(item)
    if not links:
        raise NotTaken([NOTHING_LEFT])
    if item.needs_second_approver(access):
        raise NotTaken([OWN])
    if {link.erp_id for link in links} != set(seen):
        raise NotTaken([OTHER_ID])
    # The API client's key was not confirmed, only the ID. If the adapter can read the record, the
    # worker takes the key from there.
    columns = {"erp_code": ""} if connection_services.can_compare(item.connection) else {}
    Link.objects.filter(pk__in=[link.pk for link in links]).update(told=False, **columns)
    notes = [
        Note(
            link.entity,
            link.record_id,
            str(link),
            "use_anyway",
            note=why,
            data={"erp_id": link.erp_id},
        )
        for link in links
    ]
    note(item.account_id, notes, by=access.user)
    release_children(item.connection_id, item.entity, [link.record_id for link in links])


def not_compared(connection: Connection, needs: Iterable[Link | None]) -> str | None:
    """Return why items with these links cannot be accepted, None if they can.

    That is so if an ID is not compared, the adapter cannot read it, and nobody has confirmed it.
    """
    uncompared = [link for link in needs if link is not None and link.told]
    if not uncompared or connection_services.can_compare(connection):
        return None
    return (
        f"{named(uncompared[0])}, and this ERP cannot be asked whether it is the same. Look there, "
        "then choose Use it anyway on the item's page, or reject it and have the record unlinked."
    )

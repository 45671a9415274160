"""Send and accept in bulk against storing the same rows one by one.

The baseline checks nothing: no rule, no lock, no ID that is taken. It creates an item and its two
audit events and writes both states, row by row in one transaction, with plain ORM calls.
"""

from __future__ import annotations

import uuid

from django.db import transaction

from bench import ground
from bench.ground import Ground
from bench.measure import Result, clock, medians
from directory.models import Company
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State
from erpbridge.audit.models import Event

SIZE = 1_000


def run(size: int = SIZE) -> Result:
    """Time both ways for ``size`` companies."""
    place = ground.ground()
    connection = ground.connect(place)
    row_by_row = f"{size:,} row by row, unchecked"
    in_bulk = f"{size:,} in bulk"

    def time_row_by_row() -> float:
        ids = ground.add_companies(place, size)
        return clock(lambda: _row_by_row(place, connection, ids))

    def time_in_bulk() -> float:
        ids = ground.add_companies(place, size)
        return clock(lambda: ground.send_and_accept(place, ids))

    return Result(
        name="send_and_accept",
        what="Send companies and accept them",
        baseline=row_by_row,
        measured=in_bulk,
        figures=medians({row_by_row: time_row_by_row, in_bulk: time_in_bulk}),
    )


@transaction.atomic
def _row_by_row(place: Ground, connection: Connection, ids: list[int]) -> None:
    for company in Company.objects.filter(pk__in=ids):
        item = Item.objects.create(
            account=place.account,
            connection=connection,
            entity="vendor",
            record_id=company.pk,
            label=company.name,
            operation="create",
            revision=company.revision,
            payload={"name": company.name, "city": company.city, "phone": company.business_phone},
            digest="0" * 64,
            sent_by=place.ada.user,
            state=State.READY,
        )
        _note(place, company, "send", "", State.READY)
        item.state, item.intent = State.QUEUED, uuid.uuid4()
        item.decided_by, item.erp_key = place.pat.user, f"PLAIN{company.pk}"
        item.save()
        _note(place, company, "accept", State.READY, State.QUEUED)
        company.erp_state = State.QUEUED
        company.save(update_fields=["erp_state"])


def _note(place: Ground, company: Company, verb: str, old_state: str, new_state: str) -> None:
    Event.objects.create(
        account=place.account,
        actor=place.ada.user,
        entity="vendor",
        subject_id=company.pk,
        label=company.name,
        verb=verb,
        from_state=old_state,
        to_state=new_state,
    )

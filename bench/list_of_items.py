"""ERP Integrations > Companies: the same time whatever lies in the account's history."""

from __future__ import annotations

import uuid
from functools import partial

from django.urls import reverse

from bench import ground
from bench.ground import Ground
from bench.measure import Case, Result, medians
from erp_integrations.models import Connection, Item
from erp_integrations.models.states import State

SIZES = (1_000, 50_000)
# Out of so many items one waits; the others arrived long ago.
ONE_WAITS_OF = 10


def run(sizes: tuple[int, ...] = SIZES) -> Result:
    """Time the first page for accounts of each size."""
    cases: dict[str, Case] = {}
    for size in sizes:
        place = ground.ground()
        connection = ground.connect(place)
        for start in range(0, size, 5_000):
            numbers = range(start, min(start + 5_000, size))
            Item.objects.bulk_create(
                [_item(place, connection, number) for number in numbers], batch_size=500
            )
        address = reverse("erp:companies", args=[place.account.pk])
        cases[f"{size:,} items"] = partial(ground.page_seconds, place.pat, address)
    ground.analyze()
    names = list(cases)
    return Result(
        name="list_of_items",
        what="A page of the list of acceptance items",
        baseline=names[0],
        measured=names[-1],
        figures=medians(cases),
    )


def _item(place: Ground, connection: Connection, number: int) -> Item:
    waits = number % ONE_WAITS_OF == 0
    return Item(
        account=place.account,
        connection=connection,
        entity="vendor",
        record_id=number + 1,
        label=f"Company {number}",
        operation="create",
        revision=1,
        payload={"name": f"Company {number}"},
        digest="0" * 64,
        sent_by=place.ada.user,
        state=State.READY if waits else State.SYNCED,
        intent=None if waits else uuid.uuid4(),
        erp_id="" if waits else f"E{number}",
    )

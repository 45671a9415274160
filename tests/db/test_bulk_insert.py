"""Many rows in one statement are stored as if each were stored alone."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from erp_integrations.models import Item
from erpbridge.audit.models import Event
from erpbridge.db.bulk_insert import WORTH_A_COPY, insert
from tests.factories import ItemFactory

NASTY = [
    "plain",
    "tab\there",
    "two\nlines\r",
    "back\\slash \\N \\t",
    '"quoted", comma',
    "Straße 建設",
]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("count", [len(NASTY), 3 * WORTH_A_COPY])
def test_what_is_stored_is_what_was_given_however_many_rows_there_are(account, ada, count):
    texts = [NASTY[number % len(NASTY)] for number in range(count)]
    events = [
        Event(
            account=account,
            actor=ada if number % 2 else None,
            entity="vendor",
            subject_id=number,
            label=text,
            verb="test",
            note=text,
            data={"text": text, "number": number, "nothing": None},
        )
        for number, text in enumerate(texts)
    ]
    insert(events)
    stored = list(Event.objects.filter(verb="test").order_by("pk"))
    assert [event.subject_id for event in stored] == list(range(count))
    assert [(event.label, event.note, event.data["text"]) for event in stored] == [
        (text, text, text) for text in texts
    ]
    assert {event.data["nothing"] for event in stored} == {None}
    assert [event.actor_id for event in stored[:2]] == [None, ada.pk]
    assert all(event.at for event in stored)


@pytest.mark.parametrize("count", [2, 2 * WORTH_A_COPY])
def test_one_row_that_breaks_a_constraint_keeps_all_out(account, ada, count):
    there = ItemFactory(account=account, sent_by=ada)
    rows = [
        ItemFactory.build(
            account=account, connection=there.connection, sent_by=ada, record_id=number
        )
        for number in range(there.record_id + count - 1, there.record_id - 1, -1)
    ]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(rows)
    assert list(Item.objects.all()) == [there]

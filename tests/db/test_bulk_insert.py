"""Many rows at once are stored as one by one."""

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
    assert [one.subject_id for one in stored] == list(range(count))
    assert [(one.label, one.note, one.data["text"]) for one in stored] == [
        (text, text, text) for text in texts
    ]
    assert {one.data["nothing"] for one in stored} == {None}
    assert [one.actor_id for one in stored[:2]] == [None, ada.pk]
    assert all(one.at for one in stored)


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

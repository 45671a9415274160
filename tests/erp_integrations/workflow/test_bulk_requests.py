"""Many rows with values of their own in one statement."""

import uuid
from datetime import timedelta

import pytest
from django.db import DataError
from django.db.models.functions import Now

from erp_integrations.clock import after, now
from erp_integrations.models import Item
from erpbridge.db.bulk_update import AT_ONCE, write_rows
from tests.erp_integrations import steps
from tests.factories import CompanyFactory

COLUMNS = ["acceptance", "erp_key", "intent", "waits_for", "attempts", "error_text"]


@pytest.fixture
def rows(connection, account, ada, access_of):
    return steps.send_all(CompanyFactory.create_batch(3, account=account), access_of(ada))


def stored(rows, column):
    return [getattr(item, column) for item in Item.objects.filter(pk__in=[r.pk for r in rows])]


def test_every_row_gets_its_own_value_of_every_kind(rows):
    texts = ['Ärger & "Söhne", O\'Neil: 100% {it}', "", "line\nbreak \\ \u2603 007"]
    for number, (row, text) in enumerate(zip(rows, texts, strict=True)):
        row.acceptance = {"vendor_id": text, "list": [number, None]}
        row.erp_key, row.error_text = f"{number}-{text}"[:40], text
        row.intent = uuid.uuid4()
        row.waits_for = None if number else 2**62
        row.attempts = number
    write_rows(rows, COLUMNS)
    for row in rows:
        item = Item.objects.get(pk=row.pk)
        assert {name: getattr(item, name) for name in COLUMNS} == {
            name: getattr(row, name) for name in COLUMNS
        }


def test_rows_that_are_not_named_stay_as_they_are(rows):
    for row in rows:
        row.error_text = "changed"
    write_rows(rows[:2], ["error_text"])
    assert sorted(stored(rows, "error_text")) == ["", "changed", "changed"]


def test_values_that_the_database_computes_may_be_among_them(rows):
    rows[0].not_before, rows[1].not_before, rows[2].not_before = after(60), after(120), None
    write_rows(rows, ["not_before"], decided_at=Now())
    first, second, third = (Item.objects.get(pk=row.pk) for row in rows)
    assert second.not_before - first.not_before == timedelta(seconds=60)
    assert first.not_before > now()
    assert third.not_before is None
    assert all(stored(rows, "decided_at"))


@pytest.mark.shared  # SQLite knows no lengths.
def test_a_text_that_is_too_long_is_refused_and_not_cut(rows):
    rows[0].erp_key = "x" * 201
    with pytest.raises(DataError):
        write_rows(rows, ["erp_key"])


def test_more_rows_than_fit_into_one_statement_take_few(
    rows, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr("erpbridge.db.bulk_update.AT_ONCE", 2)
    assert AT_ONCE > 100
    with django_assert_num_queries(2):
        write_rows(rows, ["erp_key", "error_text"], already_locked=True)
    with django_assert_num_queries(0):
        write_rows([], ["erp_key"])

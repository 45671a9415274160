"""Audit events are only ever added; the database itself refuses everything else."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from erpbridge.audit.models import Event
from erpbridge.audit.services import Note, note

STATEMENTS = {
    "update": "UPDATE audit_event SET verb = 'x'",
    "delete": "DELETE FROM audit_event",
    "truncate": "TRUNCATE audit_event",
    "truncate of what it hangs on": "TRUNCATE access_account CASCADE",
}


@pytest.fixture
def event(account):
    with transaction.atomic():
        note(account.pk, [Note("company", 1, "Firm", "created")], by=None)
    # As a commit does: while such checks are pending, PostgreSQL refuses any TRUNCATE.
    connection.check_constraints()
    return Event.objects.get()


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_database_refuses_to_change_or_take_away_an_event(name, event):
    if "truncate" in name and connection.vendor == "sqlite":
        with pytest.raises(DatabaseError, match="syntax error"), transaction.atomic():
            connection.cursor().execute(STATEMENTS[name])
        return
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(STATEMENTS[name])
    assert Event.objects.get() == event


def test_an_event_can_be_added(event, account):
    with transaction.atomic():
        note(account.pk, [Note("company", 2, "Firm", "created")], by=None)
    assert Event.objects.count() == 2

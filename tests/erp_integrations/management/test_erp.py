"""``manage.py erp``: operators act by the same rules as the pages."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from erp_integrations.models import Item
from erp_integrations.models.states import State
from tests.erp_integrations import steps
from tests.factories import ItemFactory


@pytest.fixture
def erp(account):
    """Runs the command for the account and returns what it prints."""

    def run(verb, *arguments, by=None):
        who = ["--by", by.email] if by else []
        out = io.StringIO()
        call_command("erp", verb, *map(str, arguments), "--account", account.pk, *who, stdout=out)
        return out.getvalue()

    return run


def test_status_counts_what_waits_and_names_a_pause(erp, connection, sent_item, ada):
    erp("pause", connection.pk, "--why", "Year-end closing", by=ada)
    said = erp("status")
    assert "PAUSED: Year-end closing" in said
    assert "Ready to export        1" in said


def test_status_says_where_it_stops_counting(erp, connection, account, monkeypatch):
    monkeypatch.setattr("erp_integrations.models.querysets.MOST_COUNTED", 2)
    ItemFactory.create_batch(2, account=account, connection=connection)
    assert "Ready to export        2\n" in erp("status")
    ItemFactory.create(account=account, connection=connection)
    assert "Ready to export        2+\n" in erp("status")


def test_pause_and_resume_stop_and_start_the_export(erp, connection, accepted_item, ada):
    erp("pause", connection.pk, "--why", "Year-end closing", by=ada)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.QUEUED
    erp("resume", connection.pk, by=ada)
    steps.export(connection)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.SYNCED


def test_an_accepted_item_is_withdrawn_before_it_leaves(erp, accepted_item, pat):
    assert "is withdrawn" in erp("withdraw", accepted_item.public_id, "--why", "Too early", by=pat)
    accepted_item.refresh_from_db()
    assert accepted_item.state == State.READY


def test_an_item_that_was_sent_is_not_withdrawn(erp, connection, accepted_item, pat):
    steps.break_erp(connection, "timeout_before")
    steps.export(connection)
    with pytest.raises(CommandError, match="cannot be withdrawn"):
        erp("withdraw", accepted_item.public_id, "--why", "Too late", by=pat)


def test_a_refused_item_is_retried_or_rejected(erp, connection, accepted_item, pat):
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    assert "queued again" in erp("retry", accepted_item.public_id, by=pat)
    steps.break_erp(connection, "refuse")
    steps.export(connection)
    erp("reject", accepted_item.public_id, "--why", "Mend the name", by=pat)
    assert Item.objects.get().decision_note == "Mend the name"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--there", "X", "--absent"], "Give either"),
        ([], "Give either"),
        (["--there", "NOTHING"], "no single record"),
    ],
)
def test_an_answer_has_to_make_sense(erp, accepted_item, pat, arguments, why):
    with pytest.raises(CommandError, match=why):
        erp("answer", accepted_item.public_id, *arguments, "--why", "Looked", by=pat)


def test_whoever_may_not_do_it_on_the_page_may_not_here(erp, connection, accepted_item, sam, olga):
    with pytest.raises(CommandError, match="Can push to accounting"):
        erp("retry", accepted_item.public_id, by=sam)
    with pytest.raises(CommandError, match="not an active member"):
        erp("pause", connection.pk, "--why", "x", by=olga)
    with pytest.raises(CommandError, match="ERP Integrations"):
        erp("pause", connection.pk, "--why", "x", by=sam)

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import Locked, ReadOnly
from admin_wbs.importing import apply, starter, uploads
from admin_wbs.importing.plan import State
from admin_wbs.models import CodeImport, CodeList, CostCode
from erp_integrations.models.states import State as ItemState
from erpbridge.access.policy import load
from erpbridge.audit.models import Event
from erpbridge.imports.uploads import AlreadyConfirmed, Changed
from tests.factories import CodeListFactory, ConnectionFactory
from tests.generator import codes as invented

pytestmark = pytest.mark.django_db
GOOD = "Code,Description\n01,General\n01-100,Survey\n"


@pytest.fixture
def upload(account, ada, code_list):
    def start(text: str, to: CodeList = code_list) -> CodeImport:
        access = load(ada, account)
        assert access is not None
        return uploads.start(text.encode(), code_list=to, file_name="codes.csv", access=access)

    return start


def confirm(code_import: CodeImport) -> apply.Result:
    return apply.confirm(
        code_import, seen=uploads.plan_of(code_import).fingerprint, by=code_import.by
    )


def code_labels(code_list):
    return [str(code) for code in code_list.codes.order_by("sort_path")]


def states(code_import: CodeImport) -> list[State]:
    return [row.state for row in uploads.plan_of(code_import).rows]


def test_new_changed_and_unchanged_rows_are_told_apart(upload, code_list, ada):
    code_services.add_many(code_list, [(["01"], "General"), (["02"], "Site")], by=ada)
    code_import = upload("Code,Description\n01,General\n02,Site work\n03,Concrete\n")
    assert states(code_import) == [State.UNCHANGED, State.CHANGED, State.NEW]
    assert uploads.plan_of(code_import).rows[1].reason == "Was “Site”."
    assert confirm(code_import).counts == {"created": 1, "changed": 1, "unchanged": 1, "errors": 0}
    assert code_labels(code_list) == ["01 General", "02 Site work", "03 Concrete"]


def test_a_changed_description_is_a_new_revision_with_its_event(upload, code_list, ada):
    (code,) = code_services.add_many(code_list, [(["01"], "General")], by=ada)
    confirm(upload("Code,Description\n01,Overhead\n"))
    code.refresh_from_db()
    assert code.revision == 2
    event = Event.objects.get(verb="edited", subject_id=code.pk)
    assert event.data["changes"] == {"description": ["General", "Overhead"]}


def test_parents_may_stand_behind_their_children(upload, code_list):
    confirm(upload("Code,Description\n01-100,Survey\n01,General\n"))
    assert code_labels(code_list) == ["01 General", "01-100 Survey"]


def test_a_parent_may_be_in_the_list_already(upload, code_list, ada):
    code_services.add(code_list, code="A", description="Shell", by=ada)
    confirm(upload("Code,Description\na-10,Walls\n"))
    assert code_labels(code_list) == ["A Shell", "A-10 Walls"]


def test_an_orphan_names_its_missing_parent_and_the_fix(upload, code_list):
    code_import = upload("Code,Description\n01,General\n02-100-1,Stakes\n")
    (row,) = uploads.plan_of(code_import).of_state(State.ERROR)
    assert row.reason == (
        "Its parent 02-100 is missing. Every code needs a row of its own: add one for 02-100."
    )
    confirm(code_import)
    assert code_labels(code_list) == ["01 General"]


def test_what_stands_under_a_row_with_an_error_waits_with_it(upload):
    code_import = upload("Code,Description\n01,\n01-1,a\n01-1-1,b\n")
    assert [row.reason for row in uploads.plan_of(code_import).rows[1:]] == [
        "Its parent 01, on line 2, has an error.",
        "Its parent 01-1, on line 3, has an error.",
    ]


def test_a_full_code_of_other_tiers_is_taken(upload, code_list, ada):
    code_services.add_many(code_list, [(["01"], "General"), (["01", "100"], "Survey")], by=ada)
    code_import = upload("Cost Code Level 1,Description\n01-100,Flat\n")
    assert "01-100 is taken: the list has it in the tiers 01 + 100." in (
        uploads.plan_of(code_import).rows[0].reason
    )


def test_a_code_that_waits_for_accounting_keeps_its_description(upload, code_list, ada):
    (code,) = code_services.add_many(code_list, [(["01"], "General")], by=ada)
    CostCode.objects.filter(pk=code.pk).update(erp_state=ItemState.READY.value)
    assert states(upload("Code,Description\n01,General\n")) == [State.UNCHANGED]
    code_import = upload("Code,Description\n01,Overhead\n02,Site\n")
    assert "waits for accounting" in uploads.plan_of(code_import).rows[0].reason
    confirm(code_import)
    assert code_labels(code_list) == ["01 General", "02 Site"]
    with pytest.raises(Locked):
        code_services.store_descriptions(code_list, {code.pk: "x"}, by=ada)


def test_an_import_never_deletes_and_says_what_it_did(upload, code_list, ada):
    code_services.add(code_list, code="99", description="Old", by=ada)
    confirm(upload(GOOD))
    assert code_labels(code_list) == ["01 General", "01-100 Survey", "99 Old"]
    event = Event.objects.get(verb="codes imported")
    assert (event.actor, event.data["created"], event.data["file"]) == (ada, 2, "codes.csv")


def test_a_list_that_changed_since_the_preview_is_not_imported_into(upload, code_list, ada):
    code_import = upload(GOOD)
    seen = uploads.plan_of(code_import).fingerprint
    code_services.add(code_list, code="01", description="Somebody else's", by=ada)
    with pytest.raises(Changed):
        apply.confirm(code_import, seen=seen, by=ada)
    code_import.refresh_from_db()
    assert code_import.confirmed_at is None
    assert code_labels(code_list) == ["01 Somebody else's"]
    confirm(code_import)
    assert code_labels(code_list) == ["01 General", "01-100 Survey"]


def test_a_second_confirmation_does_nothing(upload, code_list):
    code_import = upload(GOOD)
    confirm(code_import)
    with pytest.raises(AlreadyConfirmed):
        apply.confirm(code_import, seen="", by=code_import.by)
    assert code_list.codes.count() == 2


def test_a_list_of_an_erp_that_is_gone_takes_no_import(upload, account):
    disconnected_list = CodeListFactory.create(
        account=account, connection_id=ConnectionFactory.create(account=account).pk
    )
    with pytest.raises(ReadOnly, match="not connected any more"):
        confirm(upload(GOOD, disconnected_list))
    assert not disconnected_list.codes.exists()


def test_a_row_more_is_no_statement_more(upload, code_list, account, ada):
    def statements(count: int) -> int:
        to = list_services.create(account=account, name=f"List {count}", by=ada)
        rows = [["-".join(path), text] for path, text in invented(count)]
        text = io.StringIO()
        csv.writer(text).writerows([["Code", "Description"], *rows])
        code_import = upload(text.getvalue(), to)
        with CaptureQueriesContext(connection) as seen:
            assert confirm(code_import).created == count
        return len(seen)

    # SQLite takes some seventy rows per statement.
    assert statements(400) - statements(100) < 300 / 30


def test_the_starter_list_is_imported_without_an_error(upload, code_list):
    result = confirm(upload(starter.content().decode()))
    assert result.counts == {"created": 120, "changed": 0, "unchanged": 0, "errors": 0}
    assert code_list.codes.filter(depth=0).count() == 14
    assert set(code_list.codes.values_list("depth", flat=True)) == {0, 1, 2}

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.factories import CodeListFactory

pytestmark = pytest.mark.django_db
GOOD = b"Code,Description\n01,General\n01-100,Survey\n"
BAD = GOOD + b"02-1,Orphan\n"


@pytest.fixture
def run(tmp_path, code_list, ada):
    """Run the command on a file as Ada; returns what it printed."""

    def command(content: bytes, *, by: str = "", **options: object) -> str:
        path = tmp_path / "codes.csv"
        path.write_bytes(content)
        out = StringIO()
        options = {"list_id": code_list.pk, "by": by or ada.email, **options}
        call_command("import_codes", path, stdout=out, stderr=out, **options)
        return out.getvalue()

    return command


def test_the_file_is_imported_and_counted(run, code_list):
    output = run(GOOD)
    assert "Layout: Code, Description" in output
    assert "2 rows: 0 error, 0 changed, 2 new, 0 unchanged." in output
    assert "Done: created 2, changed 0." in output
    assert code_list.codes.count() == 2


def test_a_dry_run_writes_nothing(run, code_list):
    assert "2 new" in run(GOOD, dry_run=True)
    assert not code_list.codes.exists()


def test_one_bad_row_stops_the_whole_file(run, code_list, tmp_path):
    with pytest.raises(CommandError, match=r"Line 4: Its parent 02 .*\nNothing was imported."):
        run(BAD, errors=tmp_path / "errors.csv")
    assert not code_list.codes.exists()
    assert "Its parent 02" in (tmp_path / "errors.csv").read_text()


def test_good_rows_are_imported_when_asked_for_and_the_exit_code_stays(run, code_list):
    with pytest.raises(CommandError, match="Line 4"):
        run(BAD, skip_errors=True)
    assert code_list.codes.count() == 2


def test_the_delimiter_can_be_given(run, code_list):
    run(b"Code,Description\n01-1.5,General\n", delimiter="")
    assert code_list.codes.get().path == ["01-1.5"]


def test_a_wrong_option_is_one_sentence(run, sam, tmp_path):
    with pytest.raises(CommandError, match="no list of cost codes 999999"):
        run(GOOD, list_id=999_999)
    with pytest.raises(CommandError, match="No user has the e-mail address"):
        run(GOOD, by="nobody@example.com")
    with pytest.raises(CommandError, match="may not import cost codes there"):
        run(GOOD, by=sam.email)
    with pytest.raises(CommandError, match="column Description is missing"):
        run(b"Code\n01\n")


def test_nobody_imports_into_the_list_of_another_account(run, other_account):
    with pytest.raises(CommandError, match="may not import cost codes there"):
        run(GOOD, list_id=CodeListFactory.create(account=other_account).pk)

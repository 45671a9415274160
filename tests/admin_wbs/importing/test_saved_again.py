"""What an import of codes takes, the row of the list takes as well: it can be saved again."""

from __future__ import annotations

import pytest

from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.forms import CodeForm
from admin_wbs.importing import apply, columns
from admin_wbs.importing import plan as planning
from erpbridge.files.delimited import read
from tests.factories import CodeListFactory

CODES = ("01", "c" * 30, "c" * 31, "ÉLEC", "a\x07b", "a\u202eb", "#N/A", "10-Jan", "", " x ", "0'1")
DESCRIPTIONS = ("General", "d" * 255, "d" * 256, "O’Hara’s", "=A1", "two\nlines", "#REF!", "")


@pytest.mark.django_db
def test_every_imported_code_can_be_saved_again_as_it_is(account, ada):
    code_list = CodeListFactory.create(account=account)
    cells = [
        f'"{code}{number}","{text}"' if code.isalnum() and len(code) < 30 else f'"{code}","{text}"'
        for number, text in enumerate(DESCRIPTIONS)
        for code in CODES
    ]
    table = read("\n".join(["Code,Description", *cells]).encode())
    layout = columns.recognized(table.header)
    plan = planning.make(code_list, table.lines, layout, header=table.header, delimiter="")
    assert plan.refused
    apply.import_plan(plan, code_list, file_name="codes.csv", by=ada)
    stored = list(code_list.codes.all())
    assert len(stored) > len(DESCRIPTIONS)
    for code in stored:
        form = CodeForm({"code": code.code, "description": code.description})
        assert form.is_valid(), form.errors
        assert form.cleaned_data == {"code": code.code, "description": code.description}
        code_services.edit(code, values=form.cleaned_data, seen=code.revision, by=ada)

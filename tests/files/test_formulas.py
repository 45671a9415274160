"""No cell of an export becomes a formula, also where a spreadsheet splits it elsewhere."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_integrations.adapters import cells
from erp_integrations.adapters.base import Command, Operation
from erp_integrations.adapters.simulator import files
from erp_integrations.export.delivery import file_id_list
from erpbridge.files import delimited, formulas

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
DANGEROUS = [
    *(f"{sign}1+1" for sign in SIGNS),
    *(f"'{sign}1" for sign in SIGNS),
    "\t=1",
    "\r=1",
    "\n=1",
    "\ttabbed",
    "\rreturned",
    "a;=1+1",
    "a;+1",
    "a;\uff1d1",
    "a\t=1",
    "a\r\n=1+1",
    'a;"=1+1"',
    "a;''=1",
    "=1;=2",
]
HARMLESS = ["plain", "'quoted", "", "a=b", "a;b", "1-2", "a;b=1", "x@example.com", "line\r\nline"]
TEXTS = st.text(st.sampled_from([*SIGNS, *";,\t\r\n'\" a1"]), max_size=12)


def opened(content: str) -> list[str]:
    """Every cell that some spreadsheet makes of a file: by each delimiter, and split naively."""
    cells = re.split(r"[;\t\r\n]", content.lstrip("\ufeff"))
    for delimiter in ",;\t":
        # As a spreadsheet reads it: the lines are those of the file, a quotation mark may stand
        # anywhere.
        for row in csv.reader(
            io.StringIO(content.lstrip("\ufeff"), newline=""), delimiter=delimiter
        ):
            cells += row
    return cells


def becomes_a_formula(cell: str) -> bool:
    return cell.lstrip("\t\r\n").startswith(tuple(SIGNS))


@pytest.mark.parametrize("text", [*DANGEROUS, *HARMLESS])
def test_no_cell_of_an_export_becomes_a_formula(text):
    content = "".join(delimited.written([["name", "note", "n"], ["first", text, "1"]]))
    assert not any(map(becomes_a_formula, opened(content)))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays_as_it_is(text):
    assert formulas.guarded(text) == text


@given(text=TEXTS)
def test_whatever_a_cell_holds_it_is_no_formula_and_comes_back_as_it_was(text):
    content = "".join(delimited.written([["first", text, "1"]]))
    assert not any(map(becomes_a_formula, opened(content)))
    assert formulas.unguarded(formulas.guarded(text)) == text


def test_adapters_and_the_kernel_write_by_one_rule():
    assert (cells.guarded, cells.unguarded) == (formulas.guarded, formulas.unguarded)


@pytest.mark.parametrize("text", [text for text in DANGEROUS if text == text.strip()])
def test_a_guarded_cell_is_read_back_as_it_was(text):
    content = "".join(delimited.written([["name", "n"], [text, "1"]])).encode()
    assert delimited.read(content).lines[0].cells[0] == text


@pytest.mark.parametrize("key", DANGEROUS)
def test_a_list_of_ids_holds_no_formula(key):
    assert not any(map(becomes_a_formula, opened(file_id_list.blank([key]).decode())))


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_file_for_the_simulator_holds_no_formula(text):
    values = {"name": text, "city": text, "is_active": True}
    made = files.render([Command("i-1", "vendor", Operation.CREATE, text, values)])
    assert not any(map(becomes_a_formula, opened(bytes(made.content).decode())))

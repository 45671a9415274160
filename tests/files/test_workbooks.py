"""Workbooks of every make, and those that were made to do harm."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date

import openpyxl
import pytest

from erpbridge.files import archives, damaged
from erpbridge.files.read import read
from erpbridge.files.table import MOST_BYTES, MOST_ROWS, FileProblem
from erpbridge.files.workbooks import written

SHEET = "xl/worksheets/sheet1.xml"
ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
NAMESPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def book(*rows, sheets: int = 1, formats: dict[str, str] | None = None) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for place, number_format in (formats or {}).items():
        made.active[place].number_format = number_format
    for number in range(1, sheets):
        made.create_sheet(f"Other {number}")
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """The workbook with one part replaced or added."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            if member.filename != name:
                new.writestr(member.filename, old.read(member))
        new.writestr(name, part)
    return out.getvalue()


def sheet_of(rows: bytes) -> bytes:
    data = b"<worksheet " + NAMESPACE + b"><sheetData>" + rows + b"</sheetData></worksheet>"
    return with_part(book(["a"]), SHEET, data)


def problem_of(content: bytes) -> str:
    with pytest.raises(FileProblem) as caught:
        read(content)
    return str(caught.value)


def test_the_first_sheet_is_read_as_text():
    content = book(["Code", "Description"], [None, None], ["01", " General "], [2, 1.5])
    table = read(content)
    assert table.header == ["Code", "Description"]
    assert [(line.number, line.cells) for line in table.lines] == [
        (3, ["01", "General"]),
        (4, ["2", "1.5"]),
    ]
    assert table.notice == ""


def test_a_number_is_read_as_its_cell_shows_it():
    content = book(["a", "b"], [33000, 1.1], formats={"A2": "00-00-00", "B2": "0.00"})
    assert read(content).lines[0].cells == ["03-30-00", "1.10"]


def test_further_sheets_are_named_in_the_notice():
    assert "3 sheets; only the first, “Sheet”" in read(book(["a"], ["b"], sheets=3)).notice


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("=1+1", "Cell B2 holds a formula."),
        (date(2026, 1, 2), "Cell B2 holds a date."),
        (123456789012, "Cell B2 holds 123456789012, which its number format shows in another way."),
        ("#REF!", "Cell B2 shows #REF!, the error of a formula."),
    ],
)
def test_a_cell_that_cannot_be_read_is_refused_with_its_address(cell, words):
    table = read(book(["a", "b"], ["x", cell], ["y", "z"]))
    assert damaged.reason(table.lines[0], 1).startswith(words)
    assert [damaged.reason(line, 0) for line in table.lines] == [None, None]


def test_a_heading_that_cannot_be_read_is_named_with_its_cell():
    assert "Cell B1, a column heading, holds a formula" in problem_of(book(["a", "=1+1"], ["x"]))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-x", "@a", "'=1", "01", "1e5", "_x0041_", "ü\u2028"]
)
def test_a_written_cell_is_text_and_is_read_back_as_it_was(text):
    content = written([["a", "b"], [text, "x"]], title="List: [1]")
    assert read(content).lines[0].cells == [text.strip(), "x"]
    cell = openpyxl.load_workbook(io.BytesIO(content)).active["A2"]
    assert (cell.data_type, cell.number_format, cell.quotePrefix) == ("s", "@", True)


def test_a_character_no_workbook_can_hold_is_written_as_a_space():
    assert read(written([["a"], ["x\x07y"]], title="")).lines[0].cells == ["x y"]


# Workbooks are made when their test runs: a ZIP archive holds the time at which it was written.
REFUSED = {
    "a ZIP that ends at once": (lambda: b"PK\x03\x04rest", "damaged"),
    "an empty ZIP": (lambda: b"PK\x05\x06" + b"\0" * 18, "ZIP archive, not an Excel workbook"),
    "a file cut short": (lambda: book(["a"], ["b"])[:-200], "damaged"),
    "a sheet cut short": (lambda: with_part(book(["a"]), SHEET, b"<worksheet"), "damaged"),
    "a workbook without sheets": (
        lambda: with_part(book(["a"]), "xl/workbook.xml", b"<workbook/>"),
        "damaged",
    ),
    "a sheet that is not XML": (lambda: with_part(book(["a"]), SHEET, b"not xml"), "damaged"),
    "a sheet with an entity": (
        lambda: with_part(book(["a"]), SHEET, ENTITY + b"<worksheet>&e;</worksheet>"),
        "entities",
    ),
    "styles with an entity": (
        lambda: with_part(book(["a"]), "xl/styles.xml", ENTITY + b"<a>&e;</a>"),
        "entities",
    ),
    "no cells": (book, "empty"),
    "only a heading": (lambda: book(["a", "b"]), "no rows"),
    "a heading twice": (lambda: book(["a", "A"], ["1", "2"]), "may occur once"),
    "a row wider than the heading": (
        lambda: book(["a"], ["1", "2"]),
        "heading has 1 cells, but line 2 has 2",
    ),
    "too many columns": (lambda: book(["a"] * 201), "201 columns; the limit is 200"),
    "a row far below the limit": (
        lambda: sheet_of(b'<row r="1048576"><c t="str"><v>a</v></c></row>'),
        "more than 20,000 rows",
    ),
    "too many cells in a row": (
        lambda: sheet_of(b"<row>" + b"<c/>" * 2_001 + b"</row>"),
        "far more cells",
    ),
    "a million empty rows": (
        lambda: sheet_of(b"<row/>" * 1_000_001),
        "times its size; the limit is 200",
    ),
    "too many styles": (
        lambda: with_part(book(["a"]), "xl/styles.xml", b"<a>" + b"<b/>" * 100_001),
        "far more cells",
    ),
    "elements too deep": (lambda: with_part(book(["a"]), SHEET, b"<a>" * 65), "far more cells"),
    "a workbook of Excel 97": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        "old Excel workbook",
    ),
    "a PDF under another name": (lambda: b"%PDF-1.7 renamed to .xlsx", "PDF"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_or_hostile_workbook_is_refused_with_a_reason(case):
    make, words = REFUSED[case]
    assert words in problem_of(make())


def test_more_rows_than_the_limit_are_refused():
    content = written([["a"], *([str(n)] for n in range(MOST_ROWS + 1))], title="x")
    assert "more than 20,000 rows" in problem_of(content)


def test_more_than_ten_megabytes_are_not_even_opened():
    assert "10.0 MB; the limit is 10 MB" in problem_of(b"PK\x03\x04" + b"\0" * MOST_BYTES)


def test_a_zip_bomb_is_refused_by_what_its_directory_says():
    bomb = with_part(book(["a"]), SHEET, b"<worksheet>" + b" " * (300 * 1024 * 1024))
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    assert "unpack to 300 MB or more; the limit is 40 MB" in problem_of(bomb)
    assert tracemalloc.get_traced_memory()[1] < 10 * 1024 * 1024
    tracemalloc.stop()


def test_a_smaller_bomb_is_refused_by_its_ratio():
    bomb = with_part(book(["a"]), SHEET, b"<worksheet>" + b" " * (20 * 1024 * 1024))
    assert "times its size; the limit is 200" in problem_of(bomb)


def test_a_directory_that_lies_about_sizes_is_found_out_while_reading():
    bomb = with_part(book(["a"]), SHEET, b"<worksheet>" + b" " * (20 * 1024 * 1024))
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        size = archive.getinfo(SHEET).file_size
    lying = bomb.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != bomb
    assert "damaged" in problem_of(lying)


def test_growth_is_counted_while_reading_too(monkeypatch):
    monkeypatch.setattr(archives, "_check_directory", lambda *_: None)
    bomb = with_part(book(["a"]), "xl/media/a.bin", b"\0" * (60 * 1024 * 1024))
    tracemalloc.start()
    assert "the limit is 40 MB" in problem_of(bomb)
    assert tracemalloc.get_traced_memory()[1] < 10 * 1024 * 1024
    tracemalloc.stop()


def test_the_library_itself_refuses_entities_too():
    assert openpyxl.DEFUSEDXML

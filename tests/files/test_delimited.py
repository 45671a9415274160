from __future__ import annotations

import codecs

import pytest

from erpbridge.files.delimited import read
from erpbridge.files.table import MOST_BYTES, FileProblem


def problem_of(content: bytes) -> str:
    with pytest.raises(FileProblem) as caught:
        read(content)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "name,city\nGärtnerhof,Köln\n".encode(),
        codecs.BOM_UTF8 + "name,city\nGärtnerhof,Köln\n".encode(),
        "name,city\nGärtnerhof,Köln\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "name,city\nGärtnerhof,Köln\n".encode("utf-16-be"),
        "name;city\r\nGärtnerhof;Köln\r\n".encode(),
        "name\tcity\rGärtnerhof\tKöln\r".encode(),
        "sep=;\r\nname;city\r\nGärtnerhof;Köln".encode(),
        '"name","city"\n"Gärtnerhof","Köln"\n\n,\n'.encode(),
    ],
)
def test_encodings_and_delimiters_are_recognized(content):
    table = read(content)
    assert (table.header, table.lines[0].cells) == (["name", "city"], ["Gärtnerhof", "Köln"])
    assert len(table.lines) == 1
    assert table.notice == ""


def test_windows_1252_is_read_with_a_notice():
    table = read("name\nBéringuet – Søn\n".encode("cp1252"))
    assert table.lines[0].cells == ["Béringuet – Søn"]
    assert "Windows-1252" in table.notice


def test_a_line_number_is_that_of_the_file_even_after_cells_with_line_breaks():
    table = read(b'name,address\n\n"A","1 Road\nSuite 2"\nB,2 Road\n')
    assert [line.number for line in table.lines] == [3, 5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (codecs.BOM_UTF8, "empty"),
        (b"name,city\n", "no rows"),
        (b"name,city\n,\n", "no rows"),
        (b"PK\x03\x04rest of a workbook", "Excel workbook"),
        (b"PK\x05\x06", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1", "old Excel"),
        (b"name\nA\x00B\n", "Line 2 holds a NUL"),
        ("name\nA".encode("utf-16-le"), "NUL"),
        (b"\xff\xfea", "UTF-16"),
        (b"name\n\x81\x8d\n", "neither UTF-8"),
        (b'name,city\nA,B\n"C,D\n', "starts on line 3 has a quotation mark"),
        (b'name,city\n"A"x,B\n', "starts on line 2 has a quotation mark"),
        (b"name,city\nA,B\nC\n", "line 3 has 1"),
        (b"name,city\nA,B,C\n", "heading has 2 cells, but line 2 has 3"),
        (b"name,Name\nA,B\n", "may occur once"),
        (b"name," + b"c," * 250 + b"\n", "columns"),
        (b"name\n" + b"x" * 140_000, "far too long"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(content, words):
    assert words in problem_of(content)


def test_a_file_above_ten_megabytes_is_refused():
    assert "10.0 MB; the limit is 10 MB" in problem_of(b"x" * (MOST_BYTES + 1))


def test_a_file_of_more_than_twenty_thousand_rows_is_refused():
    assert "more than 20,000 rows" in problem_of(b"name\n" + b"a\n" * 20_001)
    assert len(read(b"name\n" + b"a\n" * 20_000).lines) == 20_000


def test_a_column_without_a_heading_is_named_by_its_place():
    assert read(b"name,,\nA,B,C\n").header == ["name", "Column 2", "Column 3"]

from __future__ import annotations

import pytest

from admin_wbs.importing import columns
from admin_wbs.importing.validate import Row, check
from erpbridge.files.delimited import read
from erpbridge.files.table import FileProblem


def checked(text: str, delimiter: str | None = None) -> list[Row]:
    table = read(text.encode())
    layout = columns.recognized(table.header)
    if delimiter is None:
        delimiter = columns.proposed_delimiter(layout, table.lines)
    return check(table.lines, layout, header=table.header, delimiter=delimiter)


def paths(text: str, delimiter: str | None = None) -> list[str]:
    rows = checked(text, delimiter)
    assert [row.problems for row in rows] == [[]] * len(rows)
    return [" > ".join(row.path) for row in rows]


def problems(text: str, delimiter: str | None = None) -> dict[int, str]:
    return {row.line: " ".join(row.problems) for row in checked(text, delimiter) if row.problems}


# --- layouts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "name", "tiers"),
    [
        ("Cost Code Level 1,Description", "levels", (0,)),
        ("Description,Cost Code Level 2,Cost Code Level 1", "levels", (2, 1)),
        (" cost  code LEVEL 1 ,costcodelevel2,DESCRIPTION", "levels", (0, 1)),
        ("Division,Cost Code,Description", "division", (0, 1)),
        ("Division,Division 1,Division 2,Cost Code,Description", "divisions", (0, 1, 2, 3)),
        ("Note,Code,Description", "joined", (1,)),
        ("Cost Code,Description", "joined", (0,)),
    ],
)
def test_a_layout_is_recognized_by_its_heading(heading, name, tiers):
    layout = columns.recognized(heading.split(","))
    assert (layout.name, layout.tiers) == (name, tiers)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Code,Name", "column Description is missing"),
        ("Description", "column of the codes is missing"),
        ("Cost Code Level 1,Cost Code Level 3,Description", "Cost Code Level 2 is missing"),
        ("Cost Code Level 2,Description", "Cost Code Level 1 is missing"),
        ("Division,Description", "column Cost Code is missing"),
        ("Division 1,Cost Code,Description", "column Division is missing"),
        ("Division,Division 2,Cost Code,Description", "Division 1 is missing"),
        (
            ",".join(f"Cost Code Level {n}" for n in range(1, 7)) + ",Description",
            "6 columns for the tiers of a code; the limit is 5",
        ),
    ],
)
def test_a_missing_column_is_named(heading, words):
    with pytest.raises(FileProblem, match=words):
        columns.recognized(heading.split(","))


def test_columns_that_are_not_read_are_named_but_not_that_of_an_error_file():
    header = ["Code", "Unit", "Description", "Error"]
    assert columns.unread(columns.recognized(header), header) == ["Unit"]


def test_levels_become_tiers():
    assert paths(
        "Cost Code Level 1,Cost Code Level 2,Cost Code Level 3,Description\n"
        "01,,,General\n01,100,,Survey\n01,100,01,Stakes\n"
    ) == ["01", "01 > 100", "01 > 100 > 01"]


def test_codes_that_repeat_their_parents_are_tiers_of_their_own():
    assert paths(
        "Cost Code Level 1,Cost Code Level 2,Description\nA,,Substructure\nA,A10,Foundations\n"
    ) == ["A", "A > A10"]


def test_a_division_is_a_row_without_a_cost_code():
    assert paths("Division,Cost Code,Description\n01,,General\n01,100,Survey\n") == [
        "01",
        "01 > 100",
    ]


def test_a_code_may_stand_under_any_of_the_divisions():
    assert paths(
        "Division,Division 1,Cost Code,Description\n01,,,a\n01,,100,b\n01,10,,c\n01,10,100,d\n"
    ) == ["01", "01 > 100", "01 > 10", "01 > 10 > 100"]


@pytest.mark.parametrize("sign", ["-", ".", "/", " "])
def test_what_joins_the_tiers_is_proposed_by_what_the_codes_hold(sign):
    assert paths(f"Code,Description\n01,a\n01{sign}100,b\n") == ["01", "01 > 100"]


def test_another_delimiter_can_be_chosen():
    text = "Code,Description\n01.1,a\n01.1-100,b\n"
    assert paths(text, "-") == ["01.1", "01.1 > 100"]
    assert paths(text, "") == ["01.1", "01.1-100"]


# --- what is wrong with a row ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",General", "Code is missing."),
        ("01,", "Description is missing."),
        ("0" * 31 + ",a", "Code, tier 1, may have at most 30 characters; it has 31."),
        ("01," + "x" * 256, "Description may have at most 255 characters; it has 256."),
        ("1-2-3-4-5-6,a", "Code may have at most 5 tiers; it has 6."),
        ("01--2,a", "Code has nothing in tier 2."),
        ("01,a\u202eb", "change the direction of writing"),
    ],
)
def test_a_row_that_cannot_be_stored_says_why(row, words):
    assert words in problems(f"Code,Description\n{row}\n")[2]


def test_a_cell_that_begins_like_a_formula_is_text():
    assert paths("Code;Description\n=1+1;@b\n+2;=c\n") == ["=1+1", "+2"]


def test_a_level_that_is_missing_in_between_is_named():
    refused = problems(
        "Cost Code Level 1,Cost Code Level 2,Cost Code Level 3,Description\n01,,5,a\n,,7,b\n,,,c\n"
    )
    assert refused == {
        2: "Cost Code Level 2 is missing above 5.",
        3: "Cost Code Level 1 is missing above 7. Cost Code Level 2 is missing above 7.",
        4: "Cost Code Level 1 is missing.",
    }


def test_a_cost_code_without_its_division_is_refused():
    assert problems("Division,Cost Code,Description\n,100,a\n") == {
        2: "Division is missing above 100."
    }


def test_the_same_row_again_is_refused_and_the_first_taken():
    assert problems("Code,Description\n01,a\n01,a\n") == {
        3: "01 is also on line 2; a code occurs once under the same parent."
    }


def test_siblings_that_share_a_code_are_both_refused():
    refused = problems("Code,Description\nA1,Piles\na1,Walls\n")
    assert "A1 is also on line 3" in refused[2]
    assert "a1 is also on line 2" in refused[3]


def test_one_full_code_in_two_ways_is_refused():
    refused = problems("Cost Code Level 1,Cost Code Level 2,Description\n01,,a\n01,1,b\n01-1,,c\n")
    assert set(refused) == {3, 4}
    assert "01-1 is also on line 3, split into other tiers" in refused[4]


CUMULATIVE = "Cost Code Level 1,Cost Code Level 2,Cost Code Level 3,Description\nA,,,a\n" + "".join(
    f"A,A{n},,x\nA,A{n},A{n}0,y\n" for n in range(1, 21)
)


def test_where_codes_repeat_their_parents_a_cycle_is_found():
    refused = problems(CUMULATIVE + "A,A1,A,again\nA1,,,top\nA1,A,,below\n")
    assert refused[43] == "A would be above itself."
    assert "in another place" in refused[44]
    assert refused[45] == "A is under A1 here and above it on line 3."
    assert "in another place on line" in problems(CUMULATIVE + "B,,,b\nB,A1,,moved\n")[44]


def test_where_they_do_not_the_same_code_may_stand_anywhere():
    assert (
        len(
            paths(
                "Cost Code Level 1,Cost Code Level 2,Description\n"
                "01,,a\n02,,b\n01,02,c\n02,01,d\n01,01,e\n02,02,f\n"
            )
        )
        == 6
    )


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("#N/A", "Code: Cell A2 shows #N/A, the error of a formula"),
        ("#REF!", "Code: Cell A2 shows #REF!"),
        ("4.1E+09", "Code: Cell A2 shows 4.1E+09, a number that was shortened"),
        ("10-Jan", "Code: Cell A2 shows 10-Jan, a date"),
        ("Jan-10", "Code: Cell A2 shows Jan-10, a date"),
        ("2026-01-10 00:00:00", "Code: Cell A2 shows 2026-01-10 00:00:00, a date"),
        ("########", "Code: Cell A2 shows ########"),
    ],
)
def test_a_cell_that_a_spreadsheet_spoiled_is_refused_with_its_address(cell, words):
    (reason,) = problems(f"Code,Description\n{cell},General\n02,Sitework\n").values()
    assert reason.startswith(words)


@pytest.mark.parametrize("code", ["MAR-01", "DEC-10", "1E5", "2E10", "10-JAN", "May-1"])
def test_a_code_that_only_resembles_a_date_or_a_number_is_taken(code):
    assert problems(f"Code,Description\n{code},General\n", delimiter="") == {}


def test_an_error_in_a_description_is_refused_too():
    assert "Description: Cell B2 shows #N/A" in problems("Code,Description\n01,#N/A\n")[2]

from __future__ import annotations

import pytest

from directory.importing import columns as mapping
from directory.importing.checking import Row, check
from erpbridge.files.delimited import read
from erpbridge.files.table import Line
from tests.generator import COLUMNS, csv_text, file_of, firms

PROCORE = (
    "Person/Vendor,Id,Entity Type,Entity ID,First Name,Last Name,Company,Job Title,Country,Address,"
    "City,State,Zip,Business Phone,Mobile Phone,Fax Number,Email,Tags/Keywords,Project Roles,"
    "Trade(s),Permission Template,Standard Cost Code List"
)


def fields_of(header: str) -> dict[str, str]:
    table = read(f"{header}\n{',' * header.count(',')}x".encode())
    return {table.header[int(place)]: field for place, field in mapping.proposed(table).items()}


def row_of(**cells: str) -> Row:
    line = Line(2, list(cells.values()))
    columns = {str(place): field for place, field in enumerate(cells)}
    return next(check([line], columns))


def reasons_of(**cells: str) -> list[str]:
    return [problem.message for problem in row_of(**{"name": "A", **cells}).problems]


def test_the_headings_of_procores_export_are_recognised():
    assert fields_of(PROCORE) == {
        "Person/Vendor": "row_kind",
        "Entity Type": "entity_type",
        "Entity ID": "entity_id",
        "Company": "name",
        "Country": "country_code",
        "Address": "address",
        "City": "city",
        "State": "state_code",
        "Zip": "zip",
        "Business Phone": "business_phone",
        "Mobile Phone": "mobile_phone",
        "Fax Number": "fax_number",
        "Email": "email_address",
        "Tags/Keywords": "notes",
        "Trade(s)": "trades",
    }


def test_every_field_of_ours_is_recognised_by_name_and_by_label():
    for field in mapping.HEADINGS:
        assert fields_of(f"x,{field}")[field] == field
        assert field in fields_of(f"x,{mapping.short_label(field)}").values()


def test_case_and_punctuation_of_a_heading_do_not_matter():
    assert fields_of("COMPANY_NAME,E-Mail,zip.code") == {
        "COMPANY_NAME": "name",
        "E-Mail": "email_address",
        "zip.code": "zip",
    }


def test_the_better_heading_wins_when_two_name_one_field():
    assert fields_of("BusinessName,FullBusinessName") == {"FullBusinessName": "name"}


def test_a_register_file_keeps_its_descriptions_as_keywords():
    table = read(csv_text(firms(30)).encode())
    proposed = mapping.proposed(table)
    named = {COLUMNS[int(place)]: field for place, field in proposed.items()}
    assert named["trades"] == "notes"
    assert named["license_number"] == "license_number"
    assert {"naics", "certification"}.isdisjoint(named)


def test_short_names_in_a_trades_column_stay_trades():
    table = read(file_of({"name": "A", "trades": "Roofing; Glass"}))
    assert mapping.proposed(table) == {"0": "name", "1": "trades"}


def test_the_name_must_be_mapped_and_no_field_twice():
    assert "Choose the column that holds the company's name." in mapping.problems({}, ["a"])
    twice = mapping.problems({"0": "name", "1": "name"}, ["a", "b"])
    assert twice == ["Name can take one column; chosen: “a”, “b”."]


def test_an_unknown_field_in_an_answer_is_ignored():
    answers = {"column-0": "name", "column-1": "is_superuser", "column-9": "city"}
    assert mapping.chosen(answers, ["a", "b"]) == {"0": "name"}


def test_a_row_without_a_name_is_refused():
    assert [problem.rule for problem in row_of(name="  ").problems] == ["present"]


def test_a_name_of_the_greatest_length_is_kept_whole():
    assert row_of(name="n" * 255).values["name"] == "n" * 255


@pytest.mark.parametrize(
    ("field", "limit"),
    [("name", 255), ("abbreviated_name", 10), ("zip", 20), ("notes", 1000), ("trades", 200)],
)
def test_a_value_over_the_limit_is_refused_with_the_number(field, limit):
    cells = {"name": "A"} | {field: "x" * (limit + 1)}
    (problem,) = row_of(**cells).problems
    assert f"at most {limit} characters; it has {limit + 1}" in problem.message
    assert (problem.field, problem.limit) == (field, str(limit))


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ({"email_address": "nobody at home"}, "E-mail address must be an e-mail address"),
        ({"country_code": "Atlantis"}, "Country is not known"),
        ({"state_code": "ZZ", "country_code": "US"}, "not the code of a state of US"),
        ({"state_code": "ZZ"}, "not the code of a state of the United States"),
        ({"union_member": "perhaps"}, "must be yes or no"),
        ({"entity_type": "VAT"}, "must be one of EIN, ABN, OTHER"),
        ({"classifications": "Small business; Purple"}, "unknown classification “Purple”"),
        ({"website": "javascript:alert(1)"}, "Website must be a web address"),
        ({"city": "a\x07b"}, "control character"),
        ({"name": "Stone\u202eyrrauQ"}, "change the direction of writing"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(cells, word):
    (reason,) = reasons_of(**cells)
    assert word in reason


def test_every_reason_of_a_row_is_given():
    assert len(reasons_of(email_address="x", state_code="ZZ", abbreviated_name="x" * 11)) == 3


@pytest.mark.parametrize(
    ("cells", "stored"),
    [
        ({"country_code": "United States"}, {"country_code": "US"}),
        ({"country_code": "U.S."}, {"country_code": "US"}),
        ({"country_code": "deu"}, {"country_code": "DE"}),
        ({"state_code": "maryland", "country_code": "USA"}, {"state_code": "MD"}),
        ({"state_code": "US-MD"}, {"state_code": "MD"}),
        ({"state_code": "Ontario"}, {"state_code": "ON"}),
        ({"state_code": "Anywhere", "country_code": "DE"}, {"state_code": "Anywhere"}),
        ({"prequalified": "Yes"}, {"prequalified": True}),
        ({"prequalified": ""}, {"prequalified": False}),
        ({"entity_type": "EIN (United States)"}, {"entity_type": "ein"}),
        ({"classifications": "small_business;8(a) business"},
         {"classifications": ["eight_a_business", "small_business"]}),
        ({"address": "1 Road\n Suite 2"}, {"address": "1 Road Suite 2"}),
        ({"website": "www.a.example:8080/x"}, {"website": "www.a.example:8080/x"}),
        ({"notes": "=HYPERLINK(1)"}, {"notes": "=HYPERLINK(1)"}),
    ],
)  # fmt: skip
def test_a_value_is_brought_into_the_form_of_the_record(cells, stored):
    row = row_of(name="A", **cells)
    assert row.problems == ()
    assert stored.items() <= row.values.items()


def test_trades_are_split_and_named_once():
    assert row_of(name="A", trades="Roofing; Glass |roofing;").trades == ("Roofing", "Glass")


def test_people_of_a_directory_export_are_no_companies():
    row = row_of(name="A", row_kind="Person", email_address="nonsense")
    assert (row.is_person, row.problems) == (True, ())
    assert not row_of(name="A", row_kind="Vendor").is_person

from __future__ import annotations

import pytest

from directory.importing import columns as mapping
from directory.importing.validate import Row, check
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


def test_the_headings_of_procores_export_are_recognized():
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


def test_every_field_of_ours_is_recognized_by_name_and_by_label():
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
        ({"state_code": "ZZ", "country_code": "US"}, "not a state of the United States"),
        ({"state_code": "ZZ"}, "not a state of the United States, Canada or Australia"),
        ({"union_member": "perhaps"}, "must be yes or no"),
        ({"entity_type": "VAT"}, "must be one of EIN, ABN, OTHER"),
        ({"classifications": "Small business; Purple"}, "unknown classification “Purple”"),
        ({"website": "javascript:alert(1)"}, "Website must be a web address"),
        (
            {"state_code": "WA"},
            "Washington in the United States and Western Australia in Australia",
        ),
        ({"zip": "2139"}, "cell B2 has 4"),
        ({"zip": "2139-4501", "state_code": "MA"}, "cell B2 has 8"),
        ({"zip": "21394501", "country_code": "US"}, "cell B2 has 8"),
        ({"ein": "4-2103594"}, "An EIN has nine digits; cell B2 has 8"),
        ({"entity_id": "42103594", "entity_type": "EIN"}, "cell B2 has 8"),
        ({"entity_id": "52-7654321"}, "Choose what kind of number the entity ID is"),
        ({"entity_id": "none", "entity_type": "other"}, "An entity ID holds digits"),
        ({"ein": "52-7654321", "entity_type": "abn"}, "says that the number is no EIN"),
        ({"zip": "#N/A"}, "Cell B2 shows #N/A, the error of a formula"),
        ({"notes": "#REF!"}, "Cell B2 shows #REF!"),
        ({"business_phone": "4.1E+09"}, "Cell B2 shows 4.1E+09, a number that was shortened"),
        ({"license_number": "10-Jan"}, "Cell B2 shows 10-Jan, a date"),
        ({"city": "########"}, "Cell B2 shows ########"),
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
        ({"state_code": "Ontario"}, {"state_code": "ON", "country_code": "CA"}),
        ({"state_code": "ON"}, {"state_code": "ON", "country_code": "CA"}),
        ({"state_code": "Western Australia"}, {"state_code": "WA", "country_code": "AU"}),
        ({"state_code": "WA", "country_code": "Australia"}, {"state_code": "WA"}),
        ({"state_code": "Québec", "country_code": "CA"}, {"state_code": "QC"}),
        ({"country_code": "The Netherlands"}, {"country_code": "NL"}),
        ({"zip": "6000", "state_code": "WA", "country_code": "AU"}, {"zip": "6000"}),
        ({"zip": "02139-4501"}, {"zip": "02139-4501"}),
        ({"ein": "52-7654321"}, {"entity_id": "52-7654321", "entity_type": "ein"}),
        ({"abn": "53 004 085 616"}, {"entity_type": "abn"}),
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


def test_a_row_without_a_country_gets_that_of_the_file_where_it_has_an_address():
    columns = {"0": "name", "1": "state_code"}
    lines = [Line(2, ["A", "WA"]), Line(3, ["B", ""])]
    rows = list(check(lines, columns, country="AU"))
    assert [row.problems for row in rows] == [(), ()]
    assert [row.values["country_code"] for row in rows] == ["AU", ""]


def test_an_entity_id_comes_from_one_column():
    problems = mapping.problems({"0": "name", "1": "ein", "2": "entity_id"}, ["a", "b", "c"])
    assert problems == ["An entity ID can come from one column; chosen: Entity ID, Entity ID: EIN."]


def test_trades_are_split_and_named_once():
    assert row_of(name="A", trades="Roofing; Glass |roofing;").trades == ("Roofing", "Glass")


def test_people_of_a_directory_export_are_no_companies():
    row = row_of(name="A", row_kind="Person", email_address="nonsense")
    assert (row.is_person, row.problems) == (True, ())
    assert not row_of(name="A", row_kind="Vendor").is_person

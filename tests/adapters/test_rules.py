"""Every kind of rule, met and broken, and its message."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_integrations.adapters.base import (
    AcceptanceField,
    EntityManifest,
    Field,
    Operation,
    Problem,
    Rule,
    RuleKind,
)
from erp_integrations.workflow.payloads.field_rules import CHECKS, problems


def entity(*rules: Rule, asked: tuple[AcceptanceField, ...] = ()) -> EntityManifest:
    return EntityManifest(
        entity="vendor",
        label="Vendor",
        operations=frozenset({Operation.CREATE}),
        fields=(Field("name", "Name", "vendor_name", rules),) if rules else (),
        key=("vendor_id",),
        acceptance_fields=asked,
    )


def broken(kind: str, value: object, limit: object = None, message: str = "") -> list[Problem]:
    return problems(entity(Rule(kind, "name", limit, message)), {"name": value})


@pytest.mark.parametrize(
    "kind, limit, fine",
    [
        ("present", None, ["A", 0, False, ["A"]]),
        ("numeric", None, ["12", "-1.5", 0, 3.25, Decimal("1e3"), " 7 "]),
        ("positive", None, ["0.01", 1]),
        ("max_length", 5, ["abcde", "éééé€", 12345, "", None]),
        ("max_line_length", 4, ["abcd\nefgh", "abcd\r\nefgh\r\n"]),
        ("max_length_decimal", 2, ["1.25", "1000"]),
        ("max_length_units", 3, ["999.12345", "-123"]),
        # A text that is not a number has no digits to count; "numeric" refuses it.
        ("max_length_decimal", 0, ["abc"]),
        ("max_length_units", 0, ["abc"]),
        ("format", r"[0-9]{5}", ["21201"]),
        ("disallow_division", None, ["03-100", "03-100-A"]),
        ("disallow_division", ".", ["03.100"]),
        ("charset", "A-Z0-9-", ["ACME-01"]),
        ("charset", "[A-Z0-9-]", ["ACME-01"]),
        ("case", "upper", ["ACME-1"]),
        ("case", "lower", ["acme-1"]),
    ],
)
def test_values_within_a_rule_raise_no_problem(kind: str, limit: object, fine: list[object]):
    assert [value for value in fine if broken(kind, value, limit)] == []


@pytest.mark.parametrize(
    "kind, limit, value, message, current, shown_limit",
    [
        ("present", None, "  ", "Name is required.", "", ""),
        ("present", None, None, "Name is required.", "", ""),
        ("numeric", None, "12a", "Name must be a number; it is “12a”.", "12a", ""),
        ("numeric", None, "NaN", "Name must be a number; it is “NaN”.", "NaN", ""),
        ("numeric", None, True, "Name must be a number; it is “True”.", "True", ""),
        ("positive", None, "0", "Name must be a number above 0; it is “0”.", "0", ""),
        ("positive", None, -3, "Name must be a number above 0; it is “-3”.", "-3", ""),
        ("positive", None, "x", "Name must be a number above 0; it is “x”.", "x", ""),
        ("max_length", 3, ("A", "B"), "Name must be 3 characters or fewer; it has 4.", "4", "3"),
        (
            "max_length", 30, "x" * 42,
            "Name must be 30 characters or fewer; it has 42.", "42", "30",
        ),
        ("max_length", 1, "é&", "Name must be 1 character or fewer; it has 2.", "2", "1"),
        (
            "max_line_length", 4, "xyz\r\nabcdefg\nab",
            "Name line 2 must be 4 characters or fewer; it has 7.", "7", "4",
        ),
        (
            "max_length_decimal", 2, "1.255",
            "Name must have 2 digits or fewer after the decimal point; it has 3.", "3", "2",
        ),
        (
            "max_length_units", 1, "-12.5",
            "Name must have 1 digit or fewer before the decimal point; it has 2.", "2", "1",
        ),
        (
            "format", r"[0-9]{5}", "21201-9",
            "Name does not have the form the ERP asks for; it is “21201-9”.", "21201-9",
            "[0-9]{5}",
        ),
        (
            "disallow_division", None, "03",
            "Name must be a detail code, not the division “03”.", "03", "",
        ),
        (
            "disallow_division", ".", "03.",
            "Name must be a detail code, not the division “03.”.", "03.", "",
        ),
        (
            "charset", "A-Z0-9-", "É& A&\n",
            "Name may not hold “É”, “&”, a space, the control character 0x0a;"
            " allowed are A-Z0-9-.", "É& \n", "A-Z0-9-",
        ),
        ("case", "upper", "Acme", "Name must be in capital letters: “ACME”.", "Acme", "upper"),
        ("case", "lower", "Acme", "Name must be in small letters: “acme”.", "Acme", "lower"),
    ],
)  # fmt: skip
def test_a_broken_rule_says_what_is_wrong(kind, limit, value, message, current, shown_limit):
    assert broken(kind, value, limit) == [Problem("name", kind, message, current, shown_limit)]


def test_every_kind_of_the_contract_is_known():
    assert set(CHECKS) == set(RuleKind)


def test_a_format_must_match_the_whole_value():
    assert broken("format", "21201\n", r"[0-9]{5}") != []


def test_all_problems_come_at_once_in_the_order_of_the_manifest():
    manifest = entity(
        Rule("max_length", "name", 3), Rule("charset", "name", "A-Z"), Rule("case", "name", "upper")
    )
    broken_rules = problems(manifest, {"name": "acme"})
    assert [problem.rule for problem in broken_rules] == ["max_length", "charset", "case"]


@pytest.mark.parametrize("kind", sorted(set(CHECKS) - {"present"}))
@pytest.mark.parametrize("blank", ["", "   ", None, []])
def test_a_blank_optional_value_breaks_no_rule(kind: str, blank: object):
    assert broken(kind, blank, 1) == []


def test_a_rules_own_message_gets_the_limit_and_keeps_naming_the_field():
    own = "Keep it to %{length} characters (limit %{length})"
    assert broken("max_length", "abcd", 3, own)[0].message == (
        "Name: Keep it to 3 characters (limit 3)"
    )
    assert broken("max_length", "abcd", 3, "The name is over %{length}.")[0].message == (
        "The name is over 3."
    )


def test_saving_runs_the_save_rules_only_and_exporting_runs_both():
    rules = (
        Rule("max_length", "name", 2, phase="export"),
        Rule("max_length", "name", 1, phase="save"),
    )
    manifest = entity(*rules, asked=(AcceptanceField("name", "Terms", rules=rules),))
    long = {"name": "abc"}
    assert [problem.limit for problem in problems(manifest, long, phase="save")] == ["1"]
    assert [problem.limit for problem in problems(manifest, long)] == ["2", "1"]
    # The approver's values too.
    assert [problem.limit for problem in problems(manifest, {}, long, phase="save")] == ["1"]
    assert [problem.limit for problem in problems(manifest, {}, long)] == ["2", "1"]


def test_a_value_that_is_required_and_blank_is_missed_whatever_else_is_asked_of_it():
    manifest = entity(Rule("max_length", "name", 3), Rule("present", "name"))
    assert [problem.rule for problem in problems(manifest, {"name": " "})] == ["present"]


def test_a_value_that_is_required_by_a_rule_of_its_own_is_missed_once():
    own = Rule("present", "terms", message="Terms are agreed with every vendor.")
    manifest = entity(asked=(AcceptanceField("terms", "Terms", rules=(own,)),))
    assert [problem.message for problem in problems(manifest, {}, {})] == [own.message]


def test_a_rule_from_the_future_blocks_instead_of_being_passed_over():
    (problem,) = broken("palindrome", "Acme")
    assert "does not know" in problem.message


ASKED = (
    AcceptanceField("vendor_type", "Vendor type", choices="vendor_type"),
    AcceptanceField("vendor_id", "Vendor ID", rules=(Rule("max_length", "vendor_id", 3),)),
    AcceptanceField("terms", "Terms", required=False, rules=(Rule("numeric", "terms"),)),
)


def test_the_approvers_values_are_checked_only_when_they_are_given():
    manifest = entity(asked=ASKED)
    assert problems(manifest, {}) == []
    assert [problem.message for problem in problems(manifest, {}, {})] == [
        "Vendor type is required.",
        "Vendor ID is required.",
    ]
    given = {"vendor_type": "SUB", "vendor_id": "ACME", "terms": "net"}
    assert [problem.field for problem in problems(manifest, {}, given)] == ["vendor_id", "terms"]


def test_the_erp_key_can_go_by_the_name_the_account_gives_it():
    messages = [
        problem.message
        for problem in problems(entity(asked=ASKED), {}, {}, id_label="Sage vendor no.")
    ]
    assert messages == ["Vendor type is required.", "Sage vendor no. is required."]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
LIMITS = {"format": "[a-z]+", "charset": "A-Z", "case": "upper", "disallow_division": "-"}


@given(value=anything)
def test_no_value_makes_a_rule_raise(value: object):
    rules = tuple(Rule(kind, "name", LIMITS.get(kind, 3)) for kind in CHECKS)
    assert all("Name" in problem.message for problem in problems(entity(*rules), {"name": value}))

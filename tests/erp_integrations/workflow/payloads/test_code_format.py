"""Codes of several tiers in the form of an ERP: for every path and every form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_integrations.adapters import code_settings
from erp_integrations.adapters.base import CodeFormat, Zeros
from erp_integrations.workflow.payloads.code_format import full_code, problems, tiers

TIERS = st.text(st.sampled_from("0012345AZé-"), min_size=1, max_size=6)
PATHS = st.lists(TIERS, min_size=1, max_size=6)
FORMS = st.builds(
    CodeFormat,
    delimiter=st.sampled_from(["-", ".", "/", ""]),
    most_tiers=st.none() | st.integers(1, 6),
    strip_zeros=st.sampled_from(Zeros),
    numeric_only=st.booleans(),
    section_lengths=st.lists(st.integers(1, 6), max_size=6).map(tuple),
)


@pytest.mark.parametrize(
    "path, form, code",
    [
        (["03", "300"], CodeFormat(delimiter=".", strip_zeros=Zeros.FIRST), "3.300"),
        (["03", "007"], CodeFormat(delimiter=".", strip_zeros=Zeros.FIRST), "3.007"),
        (["03", "007"], CodeFormat(strip_zeros=Zeros.ALL), "3-7"),
        (["00", "0"], CodeFormat(strip_zeros=Zeros.ALL), "0-0"),
        (["03", "300", "10"], CodeFormat(delimiter=""), "0330010"),
    ],
)
def test_a_code_is_written_as_the_erp_keeps_it(path, form, code):
    assert full_code(path, form) == code


@pytest.mark.parametrize(
    "path, form, rule, current, limit",
    [
        (["1", "2", "3"], CodeFormat(most_tiers=2), "tiers", "3", "2"),
        (["03", "30"], CodeFormat(section_lengths=(2, 3)), "section_length", "2", "3"),
        (["03"], CodeFormat(section_lengths=(2,), strip_zeros=Zeros.ALL), "section_length", "1",
         "2"),
        (["03", "3A"], CodeFormat(numeric_only=True), "numeric", "3A", "0-9"),
        (["³"], CodeFormat(numeric_only=True), "numeric", "³", "0-9"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_limit(path, form, rule, current, limit):
    (problem,) = problems(path, form)
    assert (problem.field, problem.rule) == ("full_code", rule)
    assert (problem.current, problem.limit) == (current, limit)
    assert problem.message.startswith("Code")


@given(PATHS)
def test_the_default_form_changes_and_refuses_nothing(path):
    assert full_code(path, CodeFormat()) == "-".join(path)
    assert problems(path, CodeFormat()) == []


@given(PATHS, FORMS)
def test_a_code_begins_with_its_parents(path, form):
    parent = full_code(path[:-1], form)
    ahead = parent + form.delimiter if path[1:] else ""
    assert full_code(path, form) == ahead + tiers(path, form)[-1]


@given(PATHS, FORMS)
def test_only_leading_zeros_go_and_no_tier_becomes_empty(path, form):
    for place, (before, after) in enumerate(zip(path, tiers(path, form), strict=True)):
        assert after
        assert before.endswith(after)
        assert set(before[: len(before) - len(after)]) <= {"0"}
        touched = form.strip_zeros is Zeros.ALL or (form.strip_zeros is Zeros.FIRST and not place)
        assert touched or after == before


@given(PATHS, FORMS)
def test_writing_a_written_code_again_changes_nothing(path, form):
    assert tiers(tiers(path, form), form) == tiers(path, form)


@given(PATHS, FORMS)
def test_exactly_what_breaks_a_rule_is_refused(path, form):
    rules = [problem.rule for problem in problems(path, form)]
    sent = tiers(path, form)
    assert ("tiers" in rules) == (form.most_tiers is not None and len(path) > form.most_tiers)
    wrong = [tier for tier in sent if not (tier.isascii() and tier.isdigit())]
    assert rules.count("numeric") == (len(wrong) if form.numeric_only else 0)
    lengths = zip(sent, form.section_lengths, strict=False)
    assert rules.count("section_length") == sum(len(tier) != most for tier, most in lengths)


def test_settings_left_alone_ask_for_the_form_that_changes_nothing():
    assert code_settings.code_format({}) == CodeFormat(most_tiers=10)
    assert code_settings.problems({}) == []
    defaults = {setting.name: setting.default for setting in code_settings.SETTINGS}
    assert code_settings.code_format(defaults) == CodeFormat(most_tiers=10)
    assert code_settings.problems(defaults) == []


def test_settings_ask_for_a_form():
    config = {
        "code_delimiter": "none",
        "code_zeros": "all",
        "code_characters": "digits",
        "code_tiers": 2,
    }
    form = CodeFormat("", most_tiers=2, strip_zeros=Zeros.ALL, numeric_only=True)
    assert code_settings.code_format(config) == form


@pytest.mark.parametrize(
    "name, wrong",
    [("code_delimiter", "+"), ("code_zeros", "some"), ("code_characters", "x"),
     ("code_tiers", "11"), ("code_tiers", "0"), ("code_tiers", "²"), ("code_tiers", "9" * 5_000)],
)  # fmt: skip
def test_a_wrong_setting_is_named_and_counts_as_its_default(name, wrong):
    (problem,) = code_settings.problems({name: wrong})
    labels = {setting.name: setting.label for setting in code_settings.SETTINGS}
    assert problem.startswith(f"{labels[name]}:")
    assert code_settings.code_format({name: wrong}) == code_settings.code_format({})

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from admin_wbs.models.full_code import end_of, full_code, sort_path

CODES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30
)
PATHS = st.lists(CODES, min_size=1, max_size=5)


def test_tiers_are_joined_by_a_dash():
    assert full_code(["01", "100", "10"]) == "01-100-10"


def test_numbers_are_ordered_by_value_and_words_by_letters():
    codes = ["10", "2", "A10", "1", "A2", "02", "b1"]
    assert sorted(codes, key=lambda code: sort_path([code])) == [
        "1", "2", "02", "10", "A2", "A10", "b1",
    ]  # fmt: skip


@given(PATHS, CODES)
def test_a_child_lies_between_its_parent_and_the_end_of_it(path, code):
    parent, child = sort_path(path), sort_path([*path, code])
    assert parent < child < end_of(parent)


@given(PATHS, CODES, CODES)
def test_a_sibling_lies_outside(path, code, other):
    mine, sibling = sort_path([*path, code]), sort_path([*path, other])
    if mine != sibling:
        assert not mine <= sibling < end_of(mine)


@given(CODES, CODES)
def test_two_codes_share_a_place_only_if_they_differ_in_case_alone(code, other_code):
    assert (sort_path([code]) == sort_path([other_code])) == (
        code.casefold() == other_code.casefold()
    )


@given(PATHS)
def test_the_place_is_written_in_digits_that_every_collation_orders_alike(path):
    assert set(sort_path(path)) <= set("0123456789abcdef")

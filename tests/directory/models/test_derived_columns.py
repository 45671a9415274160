"""Spellings of a name that count as the same, and the columns that the search uses."""

from __future__ import annotations

import pytest

from directory.models import Company
from directory.models.derived_columns import digits, name_key, prepare, sort_name


@pytest.mark.parametrize(
    "other",
    [
        "STAR FRAMING",
        "Star Framing, LLC",
        "Star Framing, L.L.C.",
        "The Star Framing Co., Inc.",
        "star-framing company",
        "StarFraming",
        "  Star   Framing  ",
    ],
)
def test_spellings_of_one_name_share_a_key(other):
    assert name_key(other) == name_key("Star Framing")


@pytest.mark.parametrize("other", ["Star Roofing", "Co Star Framing", "Star Framing North"])
def test_other_names_have_another_key(other):
    assert name_key(other) != name_key("Star Framing")


def test_ampersand_is_and():
    assert name_key("Quarry & Sons") == name_key("Quarry and Sons, Inc")


@pytest.mark.parametrize("name", ["Company", "The", "!!!", "Ltd. Co.", "株式会社"])
def test_a_name_of_suffixes_or_signs_still_has_a_key(name):
    assert name_key(name)


def test_keys_fit_their_columns_when_case_folding_makes_a_name_longer():
    assert len(name_key("ß" * 255)) == len(sort_name("ß" * 255)) == 255


def test_numbers_are_searched_with_and_without_punctuation():
    company = prepare(Company(name="A", business_phone="(410) 555-0100", entity_id="52-1234567"))
    assert "(410) 555-0100" in company.search_text
    assert "4105550100" in company.search_text
    assert "521234567" in company.search_text
    assert digits("ext. x") == ""

"""Rules of a manifest in words."""

from __future__ import annotations

import pytest

from erp_integrations.adapters.base import Rule, RuleKind
from erp_integrations.web.connections.rule_words import WORDS, words_of


def test_every_kind_of_rule_has_words():
    assert set(WORDS) == set(RuleKind)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (RuleKind.PRESENT, None, "required"),
        (RuleKind.MAX_LENGTH, 30, "at most 30 characters"),
        (RuleKind.CHARSET, "A-Z0-9-", "only the characters A-Z0-9-"),
        (RuleKind.CHARSET, "[A-Z]", "only the characters A-Z"),
        (RuleKind.CASE, "upper", "in capital letters"),
    ],
)
def test_a_rule_is_said_with_its_value(kind, value, words):
    assert words_of(Rule(kind, "name", value)) == words

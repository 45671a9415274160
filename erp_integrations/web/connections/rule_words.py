"""The rules of a manifest in words, for the table of what an ERP takes."""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.adapters.base import Rule, RuleKind

WORDS: Mapping[RuleKind, str] = {
    RuleKind.PRESENT: "required",
    RuleKind.NUMERIC: "a number",
    RuleKind.POSITIVE: "more than 0",
    RuleKind.MAX_LENGTH: "at most {} characters",
    RuleKind.MAX_LINE_LENGTH: "at most {} characters in a line",
    RuleKind.MAX_LENGTH_UNITS: "at most {} digits before the decimal point",
    RuleKind.MAX_LENGTH_DECIMAL: "at most {} digits after the decimal point",
    RuleKind.FORMAT: "in the form {}",
    RuleKind.DISALLOW_DIVISION: "no division, only what is under one",
    RuleKind.CHARSET: "only the characters {}",
    RuleKind.CASE: "in {} letters",
}
LETTERS = {"upper": "capital", "lower": "small"}


def words_of(rule: Rule) -> str:
    """A rule in words; of a kind that is newer than this version, its name."""
    return WORDS.get(rule.kind, str(rule.kind)).format(_value(rule))


def _value(rule: Rule) -> str:
    if rule.kind is RuleKind.CASE:
        return LETTERS.get(str(rule.value), str(rule.value))
    # Adapters may write the characters with or without their brackets.
    text = str(rule.value)
    return text[1:-1] if rule.kind is RuleKind.CHARSET and text[:1] == "[" else text

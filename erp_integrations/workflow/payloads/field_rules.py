"""Validation of records against the rules of a manifest.

Pure functions that return all problems at once and never raise, whatever the payload contains. The
kinds of rules are Procore's, with ``charset`` and ``case`` added
(docs/design/directory-and-companies.md, "Rules of an adapter").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from erp_integrations.adapters.base import (
    AcceptanceField,
    EntityManifest,
    Phase,
    Problem,
    Rule,
    RuleKind,
)

LINE_END = re.compile(r"\r\n|\r|\n")


class Breach(NamedTuple):
    """A broken rule, with a message that lacks the label of the field."""

    message: str
    current: str = ""
    limit: str = ""


# What a rule's value is depends on its kind.
Check = Callable[[str, Any], Breach | None]


def problems(
    entity_manifest: EntityManifest,
    payload: Mapping[str, object],
    acceptance: Mapping[str, object] | None = None,
    *,
    phase: Phase = Phase.EXPORT,
    id_label: str = "",
) -> list[Problem]:
    """Return all rules that a record breaks, in the order of the manifest.

    :param acceptance: acceptance values; None: they are not validated.
    :param phase: SAVE applies only the rules of that phase, EXPORT all rules, because a record
        can be older than the connection.
    :param id_label: used in place of the label of the ERP key.
    """
    broken_rules: list[Problem] = []
    for field in entity_manifest.fields:
        broken_rules += _broken(field.rules, field.label, payload, phase)
    if acceptance is not None:
        for acceptance_field in entity_manifest.acceptance_fields:
            is_key = entity_manifest.key == (acceptance_field.name,)
            label = id_label if is_key and id_label else acceptance_field.label
            broken_rules += _broken(_acceptance_rules(acceptance_field), label, acceptance, phase)
    return broken_rules


def text_of(value: object) -> str:
    """Return a payload value as the text that is validated; None is an empty text."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(text_of(entry) for entry in value)
    return str(value)


def _acceptance_rules(acceptance_field: AcceptanceField) -> tuple[Rule, ...]:
    if not acceptance_field.required or any(
        rule.kind == RuleKind.PRESENT for rule in acceptance_field.rules
    ):
        return acceptance_field.rules
    return (Rule(RuleKind.PRESENT, acceptance_field.name), *acceptance_field.rules)


def _broken(
    rules: Iterable[Rule], label: str, values: Mapping[str, object], phase: Phase
) -> Iterator[Problem]:
    for rule in rules:
        if phase == Phase.SAVE and rule.phase != Phase.SAVE:
            continue
        text = text_of(values.get(rule.field))
        # Only ``present`` is about blank values; to the other rules a blank value is none.
        if not text.strip() and rule.kind != RuleKind.PRESENT:
            continue
        breach = CHECKS.get(rule.kind, _unknown)(text, rule.value)
        if breach is not None:
            message = _message(rule, label, breach)
            yield Problem(rule.field, rule.kind, message, breach.current, breach.limit)


def _message(rule: Rule, label: str, breach: Breach) -> str:
    if not rule.message:
        return f"{label} {breach.message}"
    # Procore's placeholder. A message of an adapter may name the field itself.
    message = rule.message.replace("%{length}", breach.limit)
    return message if label.casefold() in message.casefold() else f"{label}: {message}"


def _present(text: str, _value: object) -> Breach | None:
    return None if text.strip() else Breach("is required.")


def _numeric(text: str, _value: object) -> Breach | None:
    return None if _number(text) is not None else Breach(f"must be a number; it is “{text}”.", text)


def _positive(text: str, _value: object) -> Breach | None:
    number = _number(text)
    if number is not None and number > 0:
        return None
    return Breach(f"must be a number above 0; it is “{text}”.", text)


def _max_length(text: str, limit: int) -> Breach | None:
    if len(text) <= limit:
        return None
    return _too_long("must be", len(text), limit)


def _max_line_length(text: str, limit: int) -> Breach | None:
    lines = LINE_END.split(text)
    longest = max(lines, key=len)
    if len(longest) <= limit:
        return None
    return _too_long(f"line {lines.index(longest) + 1} must be", len(longest), limit)


def _max_length_units(text: str, limit: int) -> Breach | None:
    # Texts that are not numbers count as 0 digits: whether it is a number is the rule ``numeric``.
    return _too_many_digits(_digits(text)[0], limit, "before the decimal point")


def _max_length_decimal(text: str, limit: int) -> Breach | None:
    return _too_many_digits(_digits(text)[1], limit, "after the decimal point")


def _format(text: str, pattern: str) -> Breach | None:
    if re.fullmatch(pattern, text):
        return None
    return Breach(f"does not have the form the ERP asks for; it is “{text}”.", text, pattern)


def _disallow_division(text: str, separator: str | None) -> Breach | None:
    # A division is a code with one tier. Tiers are joined by a dash, unless the rule names another.
    tiers = [tier for tier in text.split(separator or "-") if tier.strip()]
    if len(tiers) > 1:
        return None
    return Breach(f"must be a detail code, not the division “{text}”.", text)


def _charset(text: str, allowed: str) -> Breach | None:
    # Adapters may write the class with or without its brackets.
    inside = allowed[1:-1] if re.fullmatch(r"\[.+\]", allowed) else allowed
    forbidden = list(dict.fromkeys(re.sub(f"[{inside}]", "", text)))
    if not forbidden:
        return None
    characters = ", ".join(_character_label(character) for character in forbidden)
    return Breach(f"may not hold {characters}; allowed are {inside}.", "".join(forbidden), inside)


def _case(text: str, letter_case: str) -> Breach | None:
    corrected = text.upper() if letter_case == "upper" else text.lower()
    if text == corrected:
        return None
    word = "capital" if letter_case == "upper" else "small"
    return Breach(f"must be in {word} letters: “{corrected}”.", text, letter_case)


def _unknown(_text: str, _value: object) -> Breach:
    # Unknown rules block the export: a newer adapter may declare one that the ERP enforces.
    return Breach("has a rule that this version of erpbridge does not know.")


CHECKS: Mapping[RuleKind, Check] = {
    RuleKind.PRESENT: _present,
    RuleKind.NUMERIC: _numeric,
    RuleKind.POSITIVE: _positive,
    RuleKind.MAX_LENGTH: _max_length,
    RuleKind.MAX_LINE_LENGTH: _max_line_length,
    RuleKind.MAX_LENGTH_DECIMAL: _max_length_decimal,
    RuleKind.MAX_LENGTH_UNITS: _max_length_units,
    RuleKind.FORMAT: _format,
    RuleKind.DISALLOW_DIVISION: _disallow_division,
    RuleKind.CHARSET: _charset,
    RuleKind.CASE: _case,
}


def _too_long(subject: str, length: int, limit: int) -> Breach:
    noun = "character" if limit == 1 else "characters"
    return Breach(f"{subject} {limit} {noun} or fewer; it has {length}.", str(length), str(limit))


def _too_many_digits(count: int, limit: int, place: str) -> Breach | None:
    if count <= limit:
        return None
    noun = "digit" if limit == 1 else "digits"
    text = f"must have {limit} {noun} or fewer {place}; it has {count}."
    return Breach(text, str(count), str(limit))


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    # ``Decimal`` also accepts "NaN" and "Infinity".
    return number if number.is_finite() else None


def _digits(text: str) -> tuple[int, int]:
    # As written, including zeros at the ends.
    match = re.fullmatch(r"[+-]?(\d*)\.?(\d*)", text.strip())
    return (len(match[1]), len(match[2])) if match else (0, 0)


def _character_label(character: str) -> str:
    if character == " ":
        return "a space"
    if character.isprintable():
        return f"“{character}”"
    return unicodedata.name(character, f"the control character {ord(character):#04x}")

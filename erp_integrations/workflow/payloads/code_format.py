"""Codes with several tiers in the format of an ERP, such as ``3.300`` for ``03-300``.

Pure functions. A code is given as its path: the codes of its tiers, beginning with the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_integrations.adapters.base import CodeFormat, Problem, Zeros

# The payload field with the formatted code.
FIELD = "full_code"


def full_code(path: Sequence[str], form: CodeFormat) -> str:
    """Return the code in the ERP's format. The codes of children begin with their parent's."""
    return form.delimiter.join(tiers(path, form))


def tiers(path: Sequence[str], form: CodeFormat) -> list[str]:
    """Return the tiers in the ERP's format. A tier of zeros only keeps one zero."""
    return [_tier(tier, place, form) for place, tier in enumerate(path)]


def problems(path: Sequence[str], form: CodeFormat) -> list[Problem]:
    """Return all reasons why a code does not fit the ERP's format."""
    reasons = list(_too_many(path, form))
    for place, tier in enumerate(tiers(path, form)):
        reasons += _tier_problems(tier, place, form)
    return reasons


def _tier(tier: str, place: int, form: CodeFormat) -> str:
    stripped = form.strip_zeros is Zeros.ALL or (form.strip_zeros is Zeros.FIRST and place == 0)
    return (tier.lstrip("0") or tier[-1:]) if stripped else tier


def _too_many(path: Sequence[str], form: CodeFormat) -> Iterator[Problem]:
    most = form.most_tiers
    if most is not None and len(path) > most:
        noun = "tier" if most == 1 else "tiers"
        message = f"Code may have {most} {noun}; it has {len(path)}."
        yield Problem(FIELD, "tiers", message, str(len(path)), str(most))


def _tier_problems(tier: str, place: int, form: CodeFormat) -> Iterator[Problem]:
    tier_label = f"tier {place + 1}, “{tier}”,"
    if form.numeric_only and not (tier.isascii() and tier.isdigit()):
        yield Problem(FIELD, "numeric", f"Code: {tier_label} must be digits only.", tier, "0-9")
    if place < len(form.section_lengths) and len(tier) != form.section_lengths[place]:
        length = form.section_lengths[place]
        noun = "character" if length == 1 else "characters"
        message = f"Code: {tier_label} must be {length} {noun} long; it is {len(tier)}."
        yield Problem(FIELD, "section_length", message, str(len(tier)), str(length))

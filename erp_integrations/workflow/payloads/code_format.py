"""Codes of several tiers in the form that an ERP keeps them in, such as ``03-300`` as ``3.300``.

Pure. A code is given by its path: the codes of its tiers, from the first down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_integrations.adapters.base import CodeFormat, Problem, Zeros

FIELD = "full_code"


def full_code(path: Sequence[str], form: CodeFormat) -> str:
    """What the ERP calls the code. A parent's begins each of its children's."""
    return form.delimiter.join(tiers(path, form))


def tiers(path: Sequence[str], form: CodeFormat) -> list[str]:
    """The tiers as the ERP gets them; of one that is all zeros, one stays."""
    return [_tier(tier, place, form) for place, tier in enumerate(path)]


def problems(path: Sequence[str], form: CodeFormat) -> list[Problem]:
    """Everything by which a code does not fit the ERP's form."""
    found = list(_too_many(path, form))
    for place, tier in enumerate(tiers(path, form)):
        found += _tier_problems(tier, place, form)
    return found


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
    called = f"tier {place + 1}, “{tier}”,"
    if form.numeric_only and not (tier.isascii() and tier.isdigit()):
        yield Problem(FIELD, "numeric", f"Code: {called} must be digits only.", tier, "0-9")
    if place < len(form.section_lengths) and len(tier) != form.section_lengths[place]:
        wanted = form.section_lengths[place]
        noun = "character" if wanted == 1 else "characters"
        message = f"Code: {called} must be {wanted} {noun} long; it is {len(tier)}."
        yield Problem(FIELD, "section_length", message, str(len(tier)), str(wanted))

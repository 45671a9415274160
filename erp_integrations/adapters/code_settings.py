"""Settings by which a customer says how codes are written in the ERP, for adapters to offer.

For ERPs that keep a code in whatever form; one with a form of its own declares that instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from erp_integrations.adapters.base import CodeFormat, Setting, Zeros

DELIMITERS = {"-": "Dash: 03-300", ".": "Dot: 03.300", "/": "Slash: 03/300", "none": "None: 03300"}
ZEROS = {
    Zeros.KEEP.value: "Keep: 03-300",
    Zeros.FIRST.value: "Take away from the first tier: 3-300",
    Zeros.ALL.value: "Take away from every tier",
}
MOST_TIERS = 10
SETTINGS = (
    Setting(
        "code_delimiter",
        "Between the tiers of a cost code",
        kind="choice",
        default="-",
        options=tuple(DELIMITERS.items()),
    ),
    Setting(
        "code_zeros",
        "Leading zeros of cost codes",
        kind="choice",
        default=Zeros.KEEP.value,
        options=tuple(ZEROS.items()),
    ),
    Setting(
        "code_characters",
        "Characters of cost codes",
        kind="choice",
        default="any",
        options=(("any", "Any that the ERP takes"), ("digits", "Digits only")),
    ),
    Setting(
        "code_tiers",
        "Most tiers of a cost code",
        kind="integer",
        default=MOST_TIERS,
        least=1,
        most=MOST_TIERS,
    ),
)


def code_format(config: Mapping[str, Any]) -> CodeFormat:
    """The form that the settings ask for; a wrong one counts as its default."""
    given = {one.name: _valid(one, config.get(one.name)) for one in SETTINGS}
    delimiter = given["code_delimiter"]
    return CodeFormat(
        delimiter="" if delimiter == "none" else delimiter,
        most_tiers=int(given["code_tiers"]),
        strip_zeros=Zeros(given["code_zeros"]),
        numeric_only=given["code_characters"] == "digits",
    )


def problems(config: Mapping[str, Any]) -> list[str]:
    """The settings that are wrong, each with what it takes."""
    return [
        f"{one.label}: {_takes(one)}."
        for one in SETTINGS
        if config.get(one.name) not in (None, "")
        and _valid(one, config[one.name]) != str(config[one.name])
    ]


def _valid(setting: Setting, value: Any) -> str:
    text, default = str(value), str(setting.default)
    if setting.options:
        return text if text in dict(setting.options) else default
    fits = text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_TIERS
    return text if fits else default


def _takes(setting: Setting) -> str:
    if setting.options:
        return "choose one of those offered"
    return f"use a whole number from {setting.least} to {setting.most}"

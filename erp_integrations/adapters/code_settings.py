"""Connection settings for the format of cost codes in the ERP, shared by several adapters.

For ERPs that accept any code format; an adapter of an ERP with a fixed one declares that instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.adapters.base import CodeFormat, Setting, SettingKind, Zeros

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
        kind=SettingKind.CHOICE,
        default="-",
        options=tuple(DELIMITERS.items()),
    ),
    Setting(
        "code_zeros",
        "Leading zeros of cost codes",
        kind=SettingKind.CHOICE,
        default=Zeros.KEEP.value,
        options=tuple(ZEROS.items()),
    ),
    Setting(
        "code_characters",
        "Characters of cost codes",
        kind=SettingKind.CHOICE,
        default="any",
        options=(("any", "Any that the ERP takes"), ("digits", "Digits only")),
    ),
    Setting(
        "code_tiers",
        "Most tiers of a cost code",
        kind=SettingKind.INTEGER,
        default=MOST_TIERS,
        least=1,
        most=MOST_TIERS,
    ),
)


def code_format(config: Mapping[str, object]) -> CodeFormat:
    """The code format of a configuration; an invalid value is replaced by its default."""
    values = {setting.name: _valid(setting, config.get(setting.name)) for setting in SETTINGS}
    delimiter = values["code_delimiter"]
    return CodeFormat(
        delimiter="" if delimiter == "none" else delimiter,
        most_tiers=int(values["code_tiers"]),
        strip_zeros=Zeros(values["code_zeros"]),
        numeric_only=values["code_characters"] == "digits",
    )


def problems(config: Mapping[str, object]) -> list[str]:
    """A message for each invalid setting, with the valid values."""
    return [
        f"{setting.label}: {_takes(setting)}."
        for setting in SETTINGS
        if config.get(setting.name) not in (None, "")
        and _valid(setting, config[setting.name]) != str(config[setting.name])
    ]


def _valid(setting: Setting, value: object) -> str:
    text, default = str(value), str(setting.default)
    if setting.options:
        return text if text in dict(setting.options) else default
    # Cut before it is converted, because int() raises for thousands of digits.
    fits = text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_TIERS
    return text if fits else default


def _takes(setting: Setting) -> str:
    if setting.options:
        return "choose one of those offered"
    return f"use a whole number from {setting.least} to {setting.most}"

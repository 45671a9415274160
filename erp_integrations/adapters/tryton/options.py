"""Parse and validate the settings of a connection to Tryton."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from erp_integrations.adapters import code_settings
from erp_integrations.adapters.base import CodeFormat
from erp_integrations.adapters.http import address_problem

NAME_LIMIT = 100
ID_LIMIT = 10
HOME_COUNTRY = "US"


@dataclass(frozen=True)
class Options:
    """The settings; an invalid one gets its default and a message in ``problems``."""

    url: str
    company: int
    root: str
    name_limit: int
    id_limit: int
    home_country: str
    code_format: CodeFormat
    problems: tuple[str, ...]


def read_options(config: Mapping[str, object]) -> Options:
    """Parse stored settings, which may be invalid."""
    problems = code_settings.problems(config)
    url = str(config.get("url") or "").strip().rstrip("/")
    if problem := address_problem(url) or _names_no_database(url):
        problems.append(f"Address: {problem}")
        url = ""
    home_country = str(config.get("home_country") or HOME_COUNTRY).strip().upper()
    if not re.fullmatch(r"[A-Z]{2}", home_country):
        problems.append("Country of addresses that name none: use two letters, such as US.")
        home_country = HOME_COUNTRY
    root = str(config.get("root") or "COSTCODES").strip()
    numbers = {
        name: _integer(config, name, default, problems)
        for name, default in (("company", 1), ("name_limit", NAME_LIMIT), ("id_limit", ID_LIMIT))
    }
    return Options(
        url=url,
        root=root,
        home_country=home_country,
        code_format=code_settings.code_format(config),
        problems=tuple(problems),
        **numbers,
    )


def _names_no_database(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.path.strip("/") and not (parts.query or parts.fragment):
        return None
    return "give the server and the database, such as https://tryton.example.com/erp"


def _integer(config: Mapping[str, object], name: str, default: int, problems: list[str]) -> int:
    value = config.get(name)
    if value is None or value == "":
        return default
    if not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(str(value)) < 1:
        problems.append(f"{name}: use a whole number above 0.")
        return default
    return int(str(value))

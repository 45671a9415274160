"""Find rows that look like a company of the account, or like an earlier row of the file.

A value that is missing on either side decides nothing. Firms with different tax IDs are different
firms, even with the same name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from directory.importing.validate import Row
from directory.models import Company, ProjectCompany
from directory.models.derived_columns import digits, legal_form, name_key
from erpbridge.access.models import Account, Project
from erpbridge.db.text import fold

NOT_IN_A_NUMBER = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Match:
    """What a row looks like: a company, or the row on an earlier ``line`` of the file.

    ``exact``: same name, and same ZIP code or tax ID, and nothing that contradicts.
    """

    why: str
    label: str
    exact: bool
    company_id: int | None = None
    is_active: bool = True
    on_project: bool = False
    line: int = 0


class Known(NamedTuple):
    """The values of a company or row that are compared."""

    label: str
    name_key: str
    legal_form: str
    zip: str
    country: str
    tax_id: str
    phone: str
    company_id: int | None = None
    is_active: bool = True
    line: int = 0


class Sign(NamedTuple):
    """A shared feature: its label and the compared key. ``strong``: may be the same firm."""

    why: str
    key: tuple[str, ...]
    strong: bool = False


@dataclass
class Same:
    """Firms that share a sign: the first one, and how many of them are companies."""

    first: Known
    companies: int = 0


# Key of a sign -> tax ID (None: any tax ID) -> firms.
Seen = dict[tuple[str, ...], dict[str | None, Same]]


def matches(rows: Iterable[Row], *, account: Account, project: Project | None) -> dict[int, Match]:
    """The best match of each valid row, by line number; two queries."""
    valid = [row for row in rows if not row.problems and not row.is_person]
    described = {row.line: _of_row(row) for row in valid}
    # Only signs that some row has are kept, so that a large Directory takes little memory.
    sign_keys = {sign.key for firm in described.values() for sign in _signs(firm)}
    seen: Seen = defaultdict(dict)
    for company in _companies(account):
        _remember(company, seen, sign_keys)
    on_project = _on_project(project)
    best = {}
    for line, firm in described.items():
        match = _best(firm, seen, on_project)
        if match:
            best[line] = match
        # Only now, so that no row is its own look-alike.
        _remember(firm, seen, sign_keys)
    return best


def _of_row(row: Row) -> Known:
    values = row.values
    return Known(
        label=f"line {row.line}, {row.name}",
        name_key=name_key(row.name),
        legal_form=legal_form(row.name),
        zip=_zip(values.get("zip", "")),
        country=values.get("country_code", ""),
        tax_id=_tax_id(values.get("entity_id", "")),
        phone=digits(values.get("business_phone", "")),
        line=row.line,
    )


def _companies(account: Account) -> Iterator[Known]:
    """All companies of the account in one pass, because phones and tax IDs are stored as typed."""
    # Active ones first, because a message names the first firm with a sign.
    rows = Company.objects.filter(account=account).order_by("-is_active", "pk")
    columns = ("name", "name_key", "zip", "country_code", "entity_id", "business_phone")
    stored = rows.values_list("pk", "is_active", *columns).iterator(chunk_size=2000)
    for pk, active, name, key, code, country, tax_id, phone in stored:
        yield Known(
            label=name,
            name_key=key,
            legal_form=legal_form(name),
            zip=_zip(code),
            country=country,
            tax_id=_tax_id(tax_id),
            phone=digits(phone),
            company_id=pk,
            is_active=active,
        )


def _on_project(project: Project | None) -> set[int]:
    if project is None:
        return set()
    return set(ProjectCompany.objects.filter(project=project).values_list("company", flat=True))


def _zip(text: str) -> str:
    """Without the ZIP+4 digits."""
    return fold(text).partition("-")[0].strip()


def _tax_id(text: str) -> str:
    """Without separators, and without a leading EIN or ABN."""
    return NOT_IN_A_NUMBER.sub("", fold(text)).removeprefix("ein").removeprefix("abn")


def _signs(firm: Known) -> Iterator[Sign]:
    """The signs to compare, strongest first; missing values give none."""
    if firm.tax_id:
        yield Sign("same name and tax ID", ("both", firm.name_key, firm.tax_id), strong=True)
    if firm.zip:
        yield Sign("same name and ZIP code", ("exact", firm.name_key, firm.zip), strong=True)
    if firm.tax_id:
        yield Sign("same tax ID", ("tax", firm.tax_id))
    yield Sign("same name", ("name", firm.name_key))
    # A phone alone is no sign: several firms may share one.
    if firm.phone and firm.zip:
        yield Sign("same phone and ZIP code", ("phone", firm.phone, firm.zip))


def _remember(firm: Known, seen: Seen, sign_keys: set[tuple[str, ...]]) -> None:
    for sign in _signs(firm):
        if sign.key in sign_keys:
            # None counts firms with any tax ID, for rows without one.
            for tax_id in (firm.tax_id, None):
                same = seen[sign.key].setdefault(tax_id, Same(firm))
                same.companies += firm.company_id is not None


def _best(firm: Known, seen: Seen, on_project: set[int]) -> Match | None:
    for sign in _signs(firm):
        # The first sign that fits wins; they are in the order of their strength.
        same = _compatible(firm, seen.get(sign.key, {}))
        if same is None:
            continue
        other = same.first
        doubts = list(_doubts(firm, same))
        return Match(
            why=", ".join([sign.why, *doubts]),
            label=other.label,
            exact=sign.strong and not doubts,
            company_id=other.company_id,
            is_active=other.is_active,
            on_project=other.company_id in on_project,
            line=other.line,
        )
    return None


def _compatible(firm: Known, by_tax_id: Mapping[str | None, Same]) -> Same | None:
    """Firms that may be the same one: none has a different tax ID."""
    if not firm.tax_id:
        return by_tax_id.get(None)
    # The same number first, then firms without one. A different number means another firm.
    fitting = [by_tax_id[tax_id] for tax_id in (firm.tax_id, "") if tax_id in by_tax_id]
    return Same(fitting[0].first, sum(same.companies for same in fitting)) if fitting else None


def _doubts(firm: Known, same: Same) -> Iterator[str]:
    """What contradicts that two firms are the same, or is missing to decide."""
    other = same.first
    if firm.legal_form and other.legal_form and firm.legal_form != other.legal_form:
        yield f"other legal form ({other.legal_form.upper()})"
    if firm.country and other.country and firm.country != other.country:
        yield "other country"
    if firm.zip and other.zip and firm.zip != other.zip:
        yield "other ZIP code"
    # The number alone identifies a firm, so then no ZIP code is needed.
    same_number = firm.tax_id and firm.tax_id == other.tax_id
    if not same_number and not (firm.zip and other.zip):
        yield "a ZIP code is missing"
    if same.companies > 1:
        yield f"so have {same.companies - 1:,} more"

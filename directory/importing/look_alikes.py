"""Rows that look like a company the account has already, or like an earlier row of the file.

A value that is missing on either side decides nothing, and firms with different tax IDs are
different firms, whatever they are called.
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
    """Whom a row looks like: a company, or the row on an earlier ``line`` of the file.

    ``exact``: the same name, and the same ZIP code or tax ID, with nothing that speaks against it.
    """

    why: str
    label: str
    exact: bool
    company_id: int | None = None
    is_active: bool = True
    on_project: bool = False
    line: int = 0


class Known(NamedTuple):
    """What look-alikes are told by, of a company or of a row."""

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
    """What two firms share: its words, and what is compared. ``strong``: they may be one firm."""

    why: str
    key: tuple[str, ...]
    strong: bool = False


@dataclass
class Same:
    """Those that share a sign: the first, and how many of them are companies."""

    first: Known
    companies: int = 0


# Key -> tax ID, or None for whatever tax ID -> those with them.
Seen = dict[tuple[str, ...], dict[str | None, Same]]


def matches(rows: Iterable[Row], *, account: Account, project: Project | None) -> dict[int, Match]:
    """The best match of each good row that has one, by the row's line, in two queries."""
    good = [row for row in rows if not row.problems and not row.is_person]
    described = {row.line: _of_row(row) for row in good}
    wanted = {sign.key for one in described.values() for sign in _signs(one)}
    seen: Seen = defaultdict(dict)
    for company in _companies(account):
        _remember(company, seen, wanted)
    placed = _placed(project)
    found = {}
    for line, one in described.items():
        match = _best(one, seen, placed)
        if match:
            found[line] = match
        _remember(one, seen, wanted)
    return found


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
    """Every company of the account in one pass: phones and tax ids are stored as typed."""
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


def _placed(project: Project | None) -> set[int]:
    if project is None:
        return set()
    return set(ProjectCompany.objects.filter(project=project).values_list("company", flat=True))


def _zip(text: str) -> str:
    """Without the four digits that name a side of a street."""
    return fold(text).partition("-")[0].strip()


def _tax_id(text: str) -> str:
    """Without what separates its digits, and without the word EIN before them."""
    return NOT_IN_A_NUMBER.sub("", fold(text)).removeprefix("ein").removeprefix("abn")


def _signs(one: Known) -> Iterator[Sign]:
    """What is compared, the strongest sign first; nothing that is missing."""
    if one.tax_id:
        yield Sign("same name and tax ID", ("both", one.name_key, one.tax_id), strong=True)
    if one.zip:
        yield Sign("same name and ZIP code", ("exact", one.name_key, one.zip), strong=True)
    if one.tax_id:
        yield Sign("same tax ID", ("tax", one.tax_id))
    yield Sign("same name", ("name", one.name_key))
    if one.phone and one.zip:
        yield Sign("same phone and ZIP code", ("phone", one.phone, one.zip))


def _remember(one: Known, seen: Seen, wanted: set[tuple[str, ...]]) -> None:
    for sign in _signs(one):
        if sign.key in wanted:
            for tax_id in (one.tax_id, None):
                same = seen[sign.key].setdefault(tax_id, Same(one))
                same.companies += one.company_id is not None


def _best(one: Known, seen: Seen, placed: set[int]) -> Match | None:
    for sign in _signs(one):
        same = _compatible(one, seen.get(sign.key, {}))
        if same is None:
            continue
        other = same.first
        doubts = list(_doubts(one, same))
        return Match(
            why=", ".join([sign.why, *doubts]),
            label=other.label,
            exact=sign.strong and not doubts,
            company_id=other.company_id,
            is_active=other.is_active,
            on_project=other.company_id in placed,
            line=other.line,
        )
    return None


def _compatible(one: Known, known: Mapping[str | None, Same]) -> Same | None:
    """Those that may be the same firm: none has another tax ID."""
    if not one.tax_id:
        return known.get(None)
    fitting = [known[tax_id] for tax_id in (one.tax_id, "") if tax_id in known]
    return Same(fitting[0].first, sum(same.companies for same in fitting)) if fitting else None


def _doubts(one: Known, same: Same) -> Iterator[str]:
    """What speaks against their being one firm, or is missing to tell."""
    other = same.first
    if one.legal_form and other.legal_form and one.legal_form != other.legal_form:
        yield f"other legal form ({other.legal_form.upper()})"
    if one.country and other.country and one.country != other.country:
        yield "other country"
    if one.zip and other.zip and one.zip != other.zip:
        yield "other ZIP code"
    same_number = one.tax_id and one.tax_id == other.tax_id
    if not same_number and not (one.zip and other.zip):
        yield "a ZIP code is missing"
    if same.companies > 1:
        yield f"so have {same.companies - 1:,} more"

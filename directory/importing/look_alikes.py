"""Rows that look like a company the account has already, or like an earlier row of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from directory.derived import digits, name_key
from directory.importing.checking import Row
from directory.models import Company, ProjectCompany
from erpbridge.access.models import Account, Project


@dataclass(frozen=True)
class Match:
    """Whom a row looks like; ``company_id`` is None where it is an earlier row of the file.

    ``exact`` is the same name and ZIP code; everything else only looks alike.
    """

    why: str
    label: str
    exact: bool
    company_id: int | None = None
    is_active: bool = True
    on_project: bool = False


class Known(NamedTuple):
    """What look-alikes are told by, of a company or of a row."""

    label: str
    name_key: str
    zip: str
    tax_id: str
    phone: str
    company_id: int | None = None
    is_active: bool = True


Key = tuple[str, str, str]


def matches(rows: Iterable[Row], *, account: Account, project: Project | None) -> dict[int, Match]:
    """The best match of each good row that has one, by the row's line, in two queries."""
    good = [row for row in rows if not row.problems and not row.is_person]
    described = {row.line: _of_row(row) for row in good}
    wanted = {key for one in described.values() for _, key in _keys(one)}
    seen: dict[Key, Known] = {}
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
        zip=_zip(values.get("zip", "")),
        tax_id=digits(values.get("entity_id", "")),
        phone=digits(values.get("business_phone", "")),
    )


def _companies(account: Account) -> Iterator[Known]:
    """Every company of the account in one pass: phones and tax ids are stored as typed."""
    columns = ("name", "name_key", "zip", "entity_id", "business_phone", "pk", "is_active")
    rows = (
        Company.objects.filter(account=account).order_by("-is_active", "pk").values_list(*columns)
    )
    for name, key, code, tax_id, phone, pk, active in rows.iterator(chunk_size=2000):
        yield Known(name, key, _zip(code), digits(tax_id), digits(phone), pk, active)


def _placed(project: Project | None) -> set[int]:
    if project is None:
        return set()
    return set(ProjectCompany.objects.filter(project=project).values_list("company", flat=True))


def _zip(text: str) -> str:
    """Without the four digits that name a side of a street."""
    return text.partition("-")[0].strip().casefold()


def _keys(one: Known) -> Iterator[tuple[str, Key]]:
    """What is compared, the strongest sign first, with its words."""
    yield "same name and ZIP code", ("exact", one.name_key, one.zip)
    yield "same name, other ZIP code", ("name", one.name_key, "")
    if one.tax_id:
        yield "same tax ID", ("tax", one.tax_id, "")
    if one.phone and one.zip:
        yield "same phone and ZIP code", ("phone", one.phone, one.zip)


def _remember(one: Known, seen: dict[Key, Known], wanted: set[Key]) -> None:
    for _, key in _keys(one):
        if key in wanted:
            seen.setdefault(key, one)


def _best(one: Known, seen: dict[Key, Known], placed: set[int]) -> Match | None:
    for why, key in _keys(one):
        other = seen.get(key)
        if other is not None:
            return Match(
                why=why,
                label=other.label,
                exact=key[0] == "exact",
                company_id=other.company_id,
                is_active=other.is_active,
                on_project=other.company_id in placed,
            )
    return None

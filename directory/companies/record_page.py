"""What the record page of a company shows: its tabs, sections, people and state buttons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from directory.companies.errors import PeopleRemain
from directory.companies.forms import SECTIONS
from directory.companies.history import field_label, shown_as
from directory.company_fields import countries
from directory.models import Company
from directory.scoped_urls import Links
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.ui.navigation import Tab

TABS = {"general": "General", "people": "People", "history": "Change History"}
# Shown elsewhere on the page, or only asked for when editing.
NOT_SHOWN = frozenset({"logo", "remove_logo", "new_trades", "people"})
MANY = frozenset({"trades", "invoice_contacts", "bid_contacts"})


@dataclass(frozen=True)
class Fact:
    """One field and its value in words, empty where nothing was given."""

    term: str
    value: str
    href: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading with its facts."""

    heading: str
    facts: list[Fact]


@dataclass(frozen=True)
class StateButton:
    """Deactivate or Reactivate: offered at all, and if not possible now, why."""

    offered: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def enabled(self) -> bool:
        """Possible now."""
        return not self.reasons


@dataclass(frozen=True)
class Person:
    """Somebody of the company, and what for."""

    name: str
    email: str
    job_title: str
    is_active: bool
    contact_for: str


def tabs(company: Company, *, links: Links, current: str) -> list[Tab]:
    """The record's tabs."""
    here = links.to("company", company.pk)
    return [
        Tab(label, here if key == "general" else f"{here}?tab={key}", current=key == current)
        for key, label in TABS.items()
    ]


def sections(company: Company, *, access: Access) -> list[Section]:
    """Every General field, grouped as on the edit form."""
    found = []
    for heading, names in SECTIONS.items():
        facts = [fact for name in names for fact in _facts(company, name, access=access)]
        if facts:
            found.append(Section(heading, facts))
    return found


def people(company: Company) -> list[Person]:
    """The people of the company, and which contact each is."""
    duties = _duties(company)
    found = company.people.select_related("user").order_by("user__name", "pk")
    return [
        Person(
            one.user.name,
            one.user.email,
            one.job_title,
            one.is_active and one.user.is_active,
            ", ".join(field_label(name) for name, holders in duties.items() if one.pk in holders),
        )
        for one in found
    ]


def _duties(company: Company) -> dict[str, set[int | None]]:
    """The people behind each kind of contact."""
    return {
        "primary_contact": {company.primary_contact_id},
        "contract_signer": {company.contract_signer_id},
        "invoice_contacts": set(company.invoice_contacts.values_list("pk", flat=True)),
        "bid_contacts": set(company.bid_contacts.values_list("pk", flat=True)),
    }


def deactivation(company: Company, *, access: Access) -> StateButton:
    """Whether the company can be deactivated now."""
    if not company.is_active or not access.can("companies.edit"):
        return StateButton()
    reasons = _lock_reason(company)
    active = list(company.people.active().select_related("user").order_by("user__name")[:6])
    if active:
        reasons.append(str(PeopleRemain(active)))
    return StateButton(True, tuple(reasons))


def reactivation(company: Company, *, access: Access) -> StateButton:
    """Whether the company can be reactivated now."""
    if company.is_active or not access.can("companies.reactivate"):
        return StateButton()
    return StateButton(True, tuple(_lock_reason(company)))


def _lock_reason(company: Company) -> list[str]:
    lock = sendable.lock("vendor", company)
    return [lock.message] if lock else []


def _facts(company: Company, name: str, *, access: Access) -> Iterator[Fact]:
    if name in NOT_SHOWN:
        return
    if name == "roles":
        if access.project is not None:
            placed = company.project_companies.filter(project=access.project).first()
            yield Fact(field_label(name), placed.roles if placed else "")
        return
    wide = name in MANY | {"notes", "classifications"}
    yield Fact(field_label(name), _value(company, name), _href(company, name), wide)


def _value(company: Company, name: str) -> str:
    value = getattr(company, name)
    if name in MANY:
        related = value.all() if name == "trades" else value.select_related("user")
        return ", ".join(sorted(str(one) for one in related))
    if name == "country_code":
        return str(countries.countries().get(value, value))
    if value in (None, "", []):
        return ""
    if name == "state_code":
        state = countries.states(company.country_code).get(value)
        return f"{state} ({value})" if state else str(value)
    return str(shown_as(name, value))


def _href(company: Company, name: str) -> str:
    """Addresses a browser can open; a website is only linked when it is one."""
    value = str(getattr(company, name) or "")
    if not value:
        return ""
    if name == "email_address":
        return f"mailto:{value}"
    if name == "website":
        return value if value.lower().startswith(("http://", "https://")) else f"https://{value}"
    return ""

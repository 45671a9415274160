"""The record page of a company: tabs, sections, people and status buttons."""

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
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.ui.navigation import Tab

TABS = {"general": "General", "people": "People", "history": "Change History"}
# Fields shown elsewhere on the page, or only when editing.
NOT_SHOWN = frozenset({"logo", "remove_logo", "new_trades", "people"})
MANY = frozenset({"trades", "invoice_contacts", "bid_contacts"})


@dataclass(frozen=True)
class Fact:
    """A field and its value as text; empty if there is no value."""

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
    """Deactivate or Reactivate: whether it is shown, and why it is disabled."""

    offered: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def enabled(self) -> bool:
        """True if the action is possible now."""
        return not self.reasons


@dataclass(frozen=True)
class Person:
    """A person of the company; ``contact_for`` names the kinds of contact."""

    name: str
    email: str
    job_title: str
    is_active: bool
    contact_for: str


def tabs(company: Company, *, links: Links, current: str) -> list[Tab]:
    """The tabs of the record."""
    url = links.to("company", company.pk)
    return [
        Tab(label, url if key == "general" else f"{url}?tab={key}", current=key == current)
        for key, label in TABS.items()
    ]


def sections(company: Company, *, access: Access) -> list[Section]:
    """All General fields, grouped as in the edit form."""
    parts = []
    for heading, names in SECTIONS.items():
        facts = [fact for name in names for fact in _facts(company, name, access=access)]
        if facts:
            parts.append(Section(heading, facts))
    return parts


def people(company: Company) -> list[Person]:
    """The people of the company, and which contact each of them is."""
    duties = _duties(company)
    members = company.people.select_related("user").order_by("user__name", "pk")
    return [
        Person(
            member.user.name,
            member.user.email,
            member.job_title,
            member.is_active and member.user.is_active,
            ", ".join(
                field_label(name) for name, holders in duties.items() if member.pk in holders
            ),
        )
        for member in members
    ]


def _duties(company: Company) -> dict[str, set[int | None]]:
    """Kind of contact -> membership ids."""
    return {
        "primary_contact": {company.primary_contact_id},
        "contract_signer": {company.contract_signer_id},
        "invoice_contacts": set(company.invoice_contacts.values_list("pk", flat=True)),
        "bid_contacts": set(company.bid_contacts.values_list("pk", flat=True)),
    }


def deactivation(company: Company, *, access: Access) -> StateButton:
    """Whether the company can be deactivated now."""
    if not company.is_active or not access.can(Permission.COMPANIES_EDIT):
        return StateButton()
    reasons = _lock_reason(company)
    # One more than the message names, to know whether there are others.
    active = list(company.people.active().select_related("user").order_by("user__name")[:6])
    if active:
        reasons.append(str(PeopleRemain(active)))
    return StateButton(True, tuple(reasons))


def reactivation(company: Company, *, access: Access) -> StateButton:
    """Whether the company can be reactivated now."""
    if company.is_active or not access.can(Permission.COMPANIES_REACTIVATE):
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
            membership = company.project_companies.filter(project=access.project).first()
            yield Fact(field_label(name), membership.roles if membership else "")
        return
    wide = name in MANY | {"notes", "classifications"}
    yield Fact(field_label(name), _value(company, name), _href(company, name), wide)


def _value(company: Company, name: str) -> str:
    value = getattr(company, name)
    if name in MANY:
        # A membership is shown by the name of its user, which would be a query each.
        related = value.all() if name == "trades" else value.select_related("user")
        return ", ".join(sorted(str(item) for item in related))
    if name == "country_code":
        return str(countries.countries().get(value, value))
    # Not "if not value": a box that is not ticked is shown as No.
    if value in (None, "", []):
        return ""
    if name == "state_code":
        state = countries.states(company.country_code).get(value)
        return f"{state} ({value})" if state else str(value)
    return str(shown_as(name, value))


def _href(company: Company, name: str) -> str:
    """A link for e-mail addresses and websites."""
    value = str(getattr(company, name) or "")
    if not value:
        return ""
    if name == "email_address":
        return f"mailto:{value}"
    if name == "website":
        # Anything else is taken as a host, so that a stored "javascript:..." becomes a dead link.
        return value if value.lower().startswith(("http://", "https://")) else f"https://{value}"
    return ""

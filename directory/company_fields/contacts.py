"""The contacts of a company, who must be people of that company."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Manager

from directory.models import Company
from erpbridge.access.models import Membership

# The first two are foreign keys and hold one person, the others hold several.
CONTACTS = ("primary_contact", "contract_signer", "invoice_contacts", "bid_contacts")


def check_contacts(values: Mapping[str, Any], *, people: Manager[Membership] | None = None) -> None:
    """Check that contacts are people of the company.

    :raises ValidationError: naming the field and the person.
    """
    # Typed people count, not the stored ones: both may be changed by the same form.
    members = values["people"] if "people" in values else (people.all() if people else [])
    allowed = {person.pk for person in members}
    wrong = {}
    for name in CONTACTS:
        outside = [person for person in _people_of(values.get(name)) if person.pk not in allowed]
        if outside:
            who = ", ".join(str(person) for person in outside)
            wrong[name] = f"{who}: not among the people of this company. Tick them there first."
    if wrong:
        raise ValidationError(wrong)


def contacts_of(company: Company) -> dict[str, object]:
    """The stored contacts; read again, because ``company`` may contain unsaved changes."""
    stored = Company.objects.select_related(*CONTACTS[:2]).get(pk=company.pk)
    single = {name: getattr(stored, name) for name in CONTACTS[:2]}
    return single | {name: getattr(stored, name).all() for name in CONTACTS[2:]}


def _people_of(value: Membership | Iterable[Membership] | None) -> list[Membership]:
    if value is None:
        return []
    return [value] if isinstance(value, Membership) else list(value)

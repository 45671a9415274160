"""Change history of a company: its edits, and what happened to it on the way to the ERP."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist

from directory.models import CLASSIFICATIONS, Company, EntityType
from erp_integrations import sendable
from erpbridge.audit import history
from erpbridge.audit.history import EMPTY, History

# Fields without a label of their own, and one whose values are words, not yes and no.
EXTRA_LABELS = {"roles": "Project roles", "trades": "Trades", "is_active": "Status"}


class CompanyWords:
    """How a company's page names its fields, values and events."""

    def field(self, name: str) -> str:
        """The label of a field on the company's page."""
        return field_label(name)

    def value(self, name: str, value: object) -> str:
        """A stored value as shown on the page."""
        return shown_as(name, value)

    def verb(self, verb: str) -> str:
        """The label of an event."""
        return sendable.EVENT_WORDS.get(verb, verb.replace("_", " ").capitalize())

    def state(self, state: str) -> str:
        """The badge label of an acceptance state; empty before the first item."""
        # A badge belongs to a record; made of one, the history uses the words of the lists.
        return str(sendable.badge(Company(erp_state=state)).label) if state else ""


def of(company: Company, *, before: str = "") -> History:
    """The newest changes of a company, or those before an event; see :func:`history.history`."""
    words = CompanyWords()
    return history.history(company.account_id, "vendor", company.pk, words=words, before=before)


def field_label(name: str) -> str:
    """The label of a company field."""
    if name in EXTRA_LABELS:
        return EXTRA_LABELS[name]
    try:
        return str(getattr(Company._meta.get_field(name), "verbose_name", name))
    # Events are kept for good, so they may name a field that a later version has removed.
    except FieldDoesNotExist:
        return name.replace("_", " ").capitalize()


def shown_as(name: str, value: Any) -> str:
    """A stored value as shown on the page."""
    if name == "is_active":
        return "Active" if value else "Inactive"
    if name == "logo":
        return "a picture" if value else EMPTY
    if name == "classifications":
        # Also a box that was removed since must stay readable.
        value = [CLASSIFICATIONS.get(key, key) for key in value]
    if name == "entity_type" and value in EntityType.values:
        return str(EntityType(value).label)
    return history.shown_as(value)

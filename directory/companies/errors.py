"""Reasons why an edit of a company was refused, as messages for the person."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.text import get_text_list

from directory.companies.history import field_label
from directory.models import Company
from erp_integrations import sendable
from erpbridge.access.models import Membership
from erpbridge.audit.models import Event
from erpbridge.refusals import Refused
from erpbridge.ui.times import format_time


class EditRefused(Refused):
    """An edit that was refused; the text can be shown to the person."""


class Locked(EditRefused):
    """The company waits for accounting, or is in the ERP; the text says who sent it and when."""


class Stale(EditRefused):
    """Somebody else has edited the company since the page was opened."""


class NotSent(EditRefused):
    """The ERP does not take the edited company; ``reasons`` has all messages."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = tuple(reasons)


class PeopleRemain(EditRefused):
    """The company cannot be deactivated while active people belong to it."""

    def __init__(self, people: Sequence[Membership]) -> None:
        # Five names are enough to act on, and a company may have hundreds of people.
        names = [str(person) for person in people[:5]] + (["others"] if len(people) > 5 else [])
        super().__init__(
            f"Active people belong to this company: {get_text_list(names, 'and')}. "
            "Move or deactivate them first."
        )


def refusal_of(company: Company, *, seen: int) -> EditRefused:
    """Find out why the conditional UPDATE of an edit matched no row."""
    fresh = Company.objects.get(pk=company.pk)
    # Asked first: while it is locked, looking at the newer values would not help to save.
    lock = sendable.lock("vendor", fresh)
    if lock is not None:
        return Locked(lock.message)
    return Stale(_who_changed_what(fresh, seen=seen))


def _who_changed_what(company: Company, *, seen: int) -> str:
    """One sentence per edit since revision ``seen``, the newest first."""
    events = Event.objects.about(company.account_id, "vendor", company.pk)[:20]
    # Events that are no edits, such as an added project, have no revision.
    later = [event for event in events if event.data.get("revision", 0) > seen]
    if not later:
        return "This company was changed since you opened the page."
    return " ".join(_sentence(event) for event in later)


def _sentence(event: Event) -> str:
    who = str(event.actor) if event.actor else "erpbridge"
    # Sorted, because PostgreSQL does not keep the order of JSON keys.
    fields = sorted(field_label(name) for name in event.data.get("changes", {}))
    when = format_time(event.at)
    return f"{who} changed {get_text_list(fields, 'and') or 'this company'} ({when})."

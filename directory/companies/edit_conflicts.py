"""Two people edited the same company: show the second one both values, and lose nothing."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from directory.companies.forms import CompanyForm
from directory.companies.history import field_label, shown_as
from directory.companies.services import is_same, shown_value, stored_values
from directory.models import Company
from erpbridge.access.policy import Access
from erpbridge.audit.history import held_at


@dataclass(frozen=True)
class Conflict:
    """A field that both people changed, with its stored value. The form keeps the typed one."""

    label: str
    now: str


def rebase(
    form: CompanyForm, *, company: Company, seen: int, access: Access
) -> tuple[CompanyForm, list[Conflict]]:
    """Put the typed values on top of the current company; returns the form and the conflicts.

    A field that only the other person changed takes the new value, so that saving again does not
    undo that change unnoticed.

    :param seen: the revision from which the person started.
    """
    fresh = Company.objects.get(pk=company.pk)
    original = held_at(fresh.account_id, "vendor", fresh.pk, revision=seen)
    typed = form.values
    now = stored_values(fresh, original, project=access.project)
    current = CompanyForm(access=access, company=fresh)
    data: QueryDict = form.data.copy()  # type: ignore[attr-defined]
    conflicts = []
    for name, before in original.items():
        # Browsers do not let a page fill in a file again.
        # The status, and what only the API sets, have no field here.
        if name == "logo" or name not in current.fields or is_same(typed.get(name), now[name]):
            continue
        # The history keeps no ids of people.
        if shown_value(typed.get(name)) == before:
            data.setlist(name, _posted(current[name].value()))
        else:
            conflicts.append(Conflict(field_label(name), shown_as(name, shown_value(now[name]))))
    return CompanyForm(data, access=access, company=fresh), conflicts


def _posted(value: object) -> list[str]:
    """A form value as a browser would post it."""
    # Browsers post nothing at all for an unticked box.
    if value is None or value is False:
        return []
    if value is True:
        return ["on"]
    if isinstance(value, list | tuple):
        return [str(getattr(item, "pk", item)) for item in value]
    return [str(value)]

"""Editing many companies at once, in a number of statements that grows only with the batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from directory.companies.errors import PeopleRemain
from directory.companies.services import DERIVED, ENTITY, STORED, shown
from directory.models import Company
from directory.models.derived_columns import prepare
from erp_integrations import sendable
from erpbridge.access.models import Account, Membership, User
from erpbridge.audit.services import Note, changes, note
from erpbridge.db.bulk_update import write_rows

Values = Mapping[str, Any]
FOREIGN = frozenset({"parent", "primary_contact", "contract_signer"})
# A relation -> what of its rows to read along.
RELATED = {"trades": "trade", "bid_contacts": "membership__user"}
Held = Mapping[str, Mapping[int, Sequence[Any]]]


@transaction.atomic
def edit_many(wanted: Mapping[int, Values], *, account: Account, by: User) -> dict[int, str]:
    """Change the fields that differ, of each company that may be edited now.

    The rows are locked first, so that nothing is overwritten that somebody saves meanwhile; what a
    value does not name stays as it is. ``is_active`` may be among the values.

    :param wanted: company id -> values, checked; ``trades`` and ``bid_contacts`` as lists of rows.
    :returns: company id -> why it was left as it is.
    """
    found = Company.objects.filter(account=account, pk__in=list(wanted))
    companies = list(found.select_for_update(of=("self",), no_key=True).order_by("pk"))
    refused = _locked(companies) | _peopled(companies, wanted)
    edited = [one for one in companies if one.pk not in refused]
    held = _held(edited, wanted)
    made = {one.pk: _change(one, wanted[one.pk], held) for one in edited}
    changed = [one for one in edited if made[one.pk]]
    _store(changed, made)
    _place(changed, wanted, made)
    note(account.pk, [_event(one, made[one.pk]) for one in changed], by=by)
    sendable.note_edits(ENTITY, account.pk, [one.pk for one in changed])
    return refused


def _locked(companies: Sequence[Company]) -> dict[int, str]:
    """Those that wait for the ERP, or are on their way there, and who sent them."""
    waiting = [one for one in companies if sendable.is_locked(one)]
    if not waiting:
        return {}
    return {pk: lock.message for pk, lock in sendable.locks(ENTITY, waiting).items()}


def _peopled(companies: Sequence[Company], wanted: Mapping[int, Values]) -> dict[int, str]:
    """Those that are to be deactivated while active people belong to them."""
    leaving = [
        one.pk
        for one in companies
        if one.is_active and wanted[one.pk].get("is_active", True) is False
    ]
    if not leaving:
        return {}
    people: defaultdict[int, list[Membership]] = defaultdict(list)
    through = Company.people.through.objects.filter(company__in=leaving)
    alive = through.filter(membership__in=Membership.objects.active())
    for row in alive.select_related("membership__user").order_by("membership__user__name"):
        people[row.company_id].append(row.membership)
    return {pk: str(PeopleRemain(found)) for pk, found in people.items()}


def _held(companies: Sequence[Company], wanted: Mapping[int, Values]) -> Held:
    """Of each relation that some value names: company id -> what stands there."""
    found: dict[str, defaultdict[int, list[Any]]] = {}
    pks = [one.pk for one in companies]
    for name, path in RELATED.items():
        if not any(name in wanted[pk] for pk in pks):
            continue
        found[name] = defaultdict(list)
        for row in _through(name).filter(company__in=pks).select_related(path):
            found[name][row.company_id].append(getattr(row, _target(name)))
    return found


def _through(name: str) -> Any:
    return getattr(Company, name).through.objects


def _target(name: str) -> str:
    return RELATED[name].partition("__")[0]


def _change(company: Company, values: Values, held: Held) -> dict[str, list[Any]]:
    """Set the values on the row; what changed, as the history shows it."""
    names = [name for name in values if name in STORED]
    before = shown({name: getattr(company, name) for name in names})
    after = shown({name: values[name] for name in names})
    for name in RELATED:
        if name in values:
            before |= shown({name: held[name].get(company.pk, [])})
            after |= shown({name: values[name]})
    made = changes(before, after)
    if values.get("is_active", company.is_active) != company.is_active:
        made["is_active"] = [company.is_active, values["is_active"]]
        company.is_active = values["is_active"]
    for name in names:
        setattr(company, name, values[name])
    return made


def _store(companies: Sequence[Company], made: Mapping[int, Mapping[str, Any]]) -> None:
    """Only the columns that some row changes."""
    changed = {name for one in companies for name in made[one.pk]}
    columns = [name for name in (*STORED, "is_active") if name in changed]
    for one in companies:
        prepare(one)
        one.revision += 1
    # By the name of the column, for a relation would be fetched row by row.
    names = [f"{name}_id" if name in FOREIGN else name for name in (*columns, *DERIVED)]
    write_rows(companies, names, revision=F("revision") + 1, updated_at=Now())


def _place(
    companies: Sequence[Company],
    wanted: Mapping[int, Values],
    made: Mapping[int, Mapping[str, Any]],
) -> None:
    for name in RELATED:
        moved = [one.pk for one in companies if name in made[one.pk]]
        if not moved:
            continue
        through, column = _through(name), f"{_target(name)}_id"
        through.filter(company__in=moved).delete()
        rows = [
            through.model(**{"company_id": pk, column: one.pk})
            for pk in moved
            for one in wanted[pk][name]
        ]
        through.bulk_create(rows, batch_size=500)


def _event(company: Company, made: Mapping[str, list[Any]]) -> Note:
    """An edit, or a switch where nothing else was changed."""
    verb = "edited"
    if list(made) == ["is_active"]:
        verb = "reactivated" if company.is_active else "deactivated"
    data = {"changes": dict(made), "revision": company.revision}
    return Note(ENTITY, company.pk, company.name, verb, data=data)

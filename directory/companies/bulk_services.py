"""Edit many companies at once; the number of SQL statements grows with the batches only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from directory.companies.errors import PeopleRemain
from directory.companies.services import DERIVED, ENTITY, STORED, value_changes
from directory.models import Company
from directory.models.derived_columns import prepare
from erp_integrations import sendable
from erpbridge.access.models import Account, Membership, User
from erpbridge.audit.services import Changes, Note, Verb, note
from erpbridge.db.among import among
from erpbridge.db.bulk_update import write_rows
from erpbridge.json_values import Json
from erpbridge.refusals import BulkResult, Left

Values = Mapping[str, Any]
FOREIGN = frozenset({"parent", "primary_contact", "contract_signer"})
# Relation -> path for select_related() of its rows.
RELATED = {"trades": "trade", "bid_contacts": "membership__user"}
Related = Mapping[str, Mapping[int, Sequence[object]]]


@transaction.atomic
def edit_many(new_values: Mapping[int, Values], *, account: Account, by: User) -> BulkResult[Left]:
    """Change the fields that differ, of each company that can be edited now.

    The rows are locked first, so that no concurrent edit is overwritten. Fields that are not in the
    values stay as they are. The values may contain ``is_active``.

    :param new_values: company id -> checked values; ``trades``, ``bid_contacts`` as lists of rows.
    """
    rows = Company.objects.filter(among("pk", new_values), account=account)
    # By id, as everywhere (docs/locks.md, "The order"), and without KEY, so that relations of these
    # companies can be stored meanwhile.
    companies = list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
    reasons = _locked(companies) | _with_people(companies, new_values)
    edited = [company for company in companies if company.pk not in reasons]
    related = _related(edited, new_values)
    differences = {
        company.pk: _change(company, new_values[company.pk], related) for company in edited
    }
    changed = [company for company in edited if differences[company.pk]]
    _store(changed, differences)
    _set_relations(changed, new_values, differences)
    note(account.pk, [_event(company, differences[company.pk]) for company in changed], by=by)
    sendable.note_edits(ENTITY, account.pk, [company.pk for company in changed])
    refused = [company for company in companies if company.pk in reasons]
    return BulkResult(
        len(changed),
        tuple(Left(company.pk, company.name, reasons[company.pk]) for company in refused),
    )


def _locked(companies: Sequence[Company]) -> dict[int, str]:
    """Company id -> lock message, for companies that wait for accounting or are being exported."""
    waiting = [company for company in companies if sendable.is_locked(company)]
    if not waiting:
        return {}
    return {pk: lock.message for pk, lock in sendable.locks(ENTITY, waiting).items()}


def _with_people(companies: Sequence[Company], new_values: Mapping[int, Values]) -> dict[int, str]:
    """Companies to deactivate that still have active people."""
    deactivated = [
        company.pk
        for company in companies
        # One that is inactive already has no people to ask about: nothing changes.
        if company.is_active and new_values[company.pk].get("is_active", True) is False
    ]
    if not deactivated:
        return {}
    people: defaultdict[int, list[Membership]] = defaultdict(list)
    through = Company.people.through.objects.filter(company__in=deactivated)
    active = through.filter(membership__in=Membership.objects.active())
    for row in active.select_related("membership__user").order_by("membership__user__name"):
        people[row.company_id].append(row.membership)
    return {pk: str(PeopleRemain(members)) for pk, members in people.items()}


def _related(companies: Sequence[Company], new_values: Mapping[int, Values]) -> Related:
    """Relation -> company id -> its current rows, for relations that some value sets."""
    related: dict[str, defaultdict[int, list[object]]] = {}
    pks = [company.pk for company in companies]
    for name, path in RELATED.items():
        # Most syncs set neither relation, and then cost no query.
        if not any(name in new_values[pk] for pk in pks):
            continue
        related[name] = defaultdict(list)
        for row in _through(name).filter(company__in=pks).select_related(path):
            related[name][row.company_id].append(getattr(row, _target(name)))
    return related


def _through(name: str) -> Any:
    return getattr(Company, name).through.objects


def _target(name: str) -> str:
    return RELATED[name].partition("__")[0]


def _change(company: Company, values: Values, related: Related) -> Changes:
    """Set the values on the instance; returns the changes as the history shows them."""
    names = [name for name in values if name in STORED]
    before: dict[str, object] = {name: getattr(company, name) for name in names}
    before |= {name: related[name].get(company.pk, []) for name in RELATED if name in values}
    made = value_changes(before, {name: values[name] for name in before})
    if values.get("is_active", company.is_active) != company.is_active:
        made["is_active"] = [company.is_active, values["is_active"]]
        company.is_active = values["is_active"]
    for name in names:
        setattr(company, name, values[name])
    return made


def _store(companies: Sequence[Company], differences: Mapping[int, Mapping[str, object]]) -> None:
    """Write only the columns that changed in some row."""
    changed = {name for company in companies for name in differences[company.pk]}
    # A row that does not change one of these columns is written with the value that it was read
    # with under the lock.
    columns = [name for name in (*STORED, "is_active") if name in changed]
    moved: set[str] = set()
    for company in companies:
        before = {name: getattr(company, name) for name in DERIVED}
        prepare(company)
        moved |= {name for name in DERIVED if getattr(company, name) != before[name]}
        # For the audit events; the UPDATE below counts in the database.
        company.revision += 1
    columns += [name for name in DERIVED if name in moved]
    # Use column names: by relation name, each related row would be fetched separately.
    names = [f"{name}_id" if name in FOREIGN else name for name in columns]
    write_rows(companies, names, revision=F("revision") + 1, updated_at=Now())


def _set_relations(
    companies: Sequence[Company],
    new_values: Mapping[int, Values],
    differences: Mapping[int, Mapping[str, object]],
) -> None:
    for name in RELATED:
        moved = [company.pk for company in companies if name in differences[company.pk]]
        if not moved:
            continue
        through, column = _through(name), f"{_target(name)}_id"
        # All anew: two statements for all companies together, where ``set()`` takes several for
        # each.
        through.filter(company__in=moved).delete()
        rows = [
            through.model(**{"company_id": pk, column: related.pk})
            for pk in moved
            for related in new_values[pk][name]
        ]
        through.bulk_create(rows, batch_size=500)


def _event(company: Company, differences: Mapping[str, list[Json]]) -> Note:
    """The audit event: an edit, or a status change if nothing else changed."""
    verb = Verb.EDITED
    if list(differences) == ["is_active"]:
        verb = Verb.REACTIVATED if company.is_active else Verb.DEACTIVATED
    data: Mapping[str, Json] = {"changes": dict(differences), "revision": company.revision}
    return Note(ENTITY, company.pk, company.name, verb, data=data)

"""All writes to companies. Each is one transaction that also writes the audit events.

An edit names the revision that its page showed and is one conditional UPDATE. If two people edit at
once, the second one gets an error. Companies that wait for accounting or are being exported never
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.files import File
from django.db import transaction
from django.db.models import F, Model
from django.db.models.functions import Now

from directory.companies.errors import NotSent, PeopleRemain, refusal_of
from directory.company_fields.contacts import check_contacts, contacts_of
from directory.company_fields.trades import place_in_trades, with_new_trades
from directory.models import Company, ProjectCompany
from directory.models.derived_columns import prepare
from erp_integrations import sendable
from erpbridge.access.models import Account, Project, User
from erpbridge.access.policy import Access
from erpbridge.audit.services import Changes, Note, Verb, note
from erpbridge.json_values import Json

__all__ = [
    "add_to_project",
    "create",
    "create_many",
    "deactivate",
    "edit",
    "edit_and_send",
    "prepare",
    "reactivate",
    "remove_from_project",
]

ENTITY = "vendor"
COLUMNS = (
    "name",
    "abbreviated_name",
    "trade_name",
    "logo",
    "entity_type",
    "entity_id",
    "business_phone",
    "mobile_phone",
    "fax_number",
    "email_address",
    "website",
    "address",
    "city",
    "state_code",
    "zip",
    "country_code",
    "license_number",
    "labor_union",
    "union_member",
    "non_union_prevailing_wage",
    "prequalified",
    "authorized_bidder",
    "notes",
    "is_own_company",
    "classifications",
    "primary_contact",
    "contract_signer",
)
# Set over the API only.
MORE = ("parent", "standard_cost_code_ids")
STORED = (*COLUMNS, *MORE)
RELATIONS = ("trades", "people", "invoice_contacts", "bid_contacts")
# All editable fields; "roles" belongs to the company on one project.
FIELDS = (*STORED, *RELATIONS, "roles")
DERIVED = ("sort_name", "name_key", "search_text")


@transaction.atomic
def create(
    *, account: Account, values: Mapping[str, Any], by: User, project: Project | None = None
) -> Company:
    """Create a company of the account, and add it to the project's Directory if one is given.

    :raises ValidationError: for a contact who is not one of the company's people.
    """
    check_contacts(values)
    values = with_new_trades(values, account=account)
    company = Company(account=account, **_columns(values))
    prepare(company).save()
    _set_relations(company, values)
    note(account.pk, [_note(company, Verb.CREATED, data={"revision": 1})], by=by)
    if project is not None:
        add_to_project([company.pk], project=project, by=by, roles=values.get("roles", ""))
    return company


@transaction.atomic
def create_many(
    companies: Sequence[Company],
    *,
    account: Account,
    project: Project | None,
    by: User,
    trades: Sequence[Sequence[str]] = (),
) -> list[Company]:
    """Create many companies; the number of SQL statements grows with the batches only.

    ``trades`` holds the names of their trades, in the order of ``companies``.
    """
    for company in companies:
        company.account = account
        prepare(company)
    stored = Company.objects.bulk_create(companies, batch_size=500)
    place_in_trades(stored, account=account, names=trades)
    note(
        account.pk,
        [_note(company, Verb.CREATED, data={"revision": 1}) for company in stored],
        by=by,
    )
    if project is not None:
        add_to_project([company.pk for company in stored], project=project, by=by)
    return stored


@transaction.atomic
def edit(
    company: Company,
    *,
    values: Mapping[str, Any],
    seen: int,
    by: User,
    project: Project | None = None,
) -> Company:
    """Change the fields of ``values`` that differ; ``seen`` is the revision that the page showed.

    :raises Stale: if somebody else has edited the company since; says who and what.
    :raises Locked: while the company waits for accounting or is being exported.
    :raises ValidationError: for a contact who is not one of the company's people.
    """
    values = with_new_trades(values, account=company.account)
    # Read before the new values are set on the instance.
    before = stored_values(company, values, project=project)
    for name, value in _columns(values).items():
        setattr(company, name, value)
    changed = value_changes(before, values)
    # Saving without changes is no edit: no new revision, no event, and no conflict with anybody.
    if not changed:
        return company
    # With the stored contacts too: whoever is taken off the company may still be one of them.
    check_contacts({**contacts_of(company), **values}, people=company.people)
    prepare(company)
    columns = {name: getattr(company, name) for name in STORED if name in changed}
    # An UPDATE by columns does not compute them.
    derived = {name: getattr(company, name) for name in DERIVED}
    if "logo" in changed:
        _replace_logo(company, str(before["logo"]), seen=seen)
        columns["logo"] = company.logo.name
    _update(company, seen=seen, **columns, **derived)
    # After the UPDATE, which locks the row: the relations of two edits must not be mixed.
    _set_relations(company, {name: values[name] for name in RELATIONS if name in changed})
    if project is not None and "roles" in changed:
        company.project_companies.filter(project=project).update(roles=values["roles"])
    data: Mapping[str, Json] = {"changes": changed, "revision": company.revision}
    note(company.account_id, [_note(company, Verb.EDITED, data=data)], by=by)
    sendable.note_edits(ENTITY, company.account_id, [company.pk])
    return company


@transaction.atomic
def edit_and_send(
    company: Company, *, values: Mapping[str, object], seen: int, access: Access
) -> Company:
    """Edit the company and submit it to accounting: both, or neither.

    The caller has checked both permissions.

    :raises NotSent: if it cannot be sent after the edit; with all reasons.
    :raises Stale: if somebody else has edited the company since, even if nothing was typed.
    :raises Locked: while the company waits for accounting or is being exported.
    """
    # Connections are locked before records (docs/locks.md).
    sendable.hold(company.account_id)
    # edit() does not check the revision if nothing was changed.
    if company.revision != seen:
        raise refusal_of(company, seen=seen)
    logo = company.logo.name
    edit(company, values=values, seen=seen, by=access.user, project=access.project)
    # The edit has counted the revision up, so this is the one that the person means to send.
    outcome = sendable.send(
        ENTITY, [company.pk], access=access, seen={company.pk: company.revision}
    )
    if outcome.refused:
        # The transaction is rolled back, which would leave the new logo's file without an owner.
        uploaded = company.logo.name
        if uploaded and uploaded != logo:
            company.logo.storage.delete(uploaded)
        raise NotSent(
            [problem.message for refusal in outcome.refused for problem in refusal.problems]
        )
    return company


@transaction.atomic
def deactivate(company: Company, *, seen: int, by: User) -> Company:
    """Make the company inactive, in the account and on all its projects.

    :raises PeopleRemain: while active people belong to it; names them.
    :raises Stale: if somebody else has edited the company since.
    :raises Locked: while the company waits for accounting or is being exported.
    """
    # One more than the message names, to know whether there are others.
    people = list(company.people.active().select_related("user").order_by("user__name")[:6])
    if people:
        raise PeopleRemain(people)
    return _switch(company, active=False, seen=seen, by=by)


@transaction.atomic
def reactivate(company: Company, *, seen: int, by: User) -> Company:
    """Make the company active again, in the account and on all its projects.

    :raises Stale: if somebody else has edited the company since.
    :raises Locked: while the company waits for accounting or is being exported.
    """
    return _switch(company, active=True, seen=seen, by=by)


@transaction.atomic
def add_to_project(ids: Iterable[int], *, project: Project, by: User, roles: str = "") -> int:
    """Add companies to the project's Directory; returns how many were new."""
    # Only what is new gets an event in its history.
    existing = ProjectCompany.objects.filter(project=project).values("company")
    new = Company.objects.filter(account=project.account_id, pk__in=list(ids)).exclude(
        pk__in=existing
    )
    companies = list(new.order_by("pk"))
    ProjectCompany.objects.bulk_create(
        [
            ProjectCompany(project=project, company=company, roles=roles, added_by=by)
            for company in companies
        ],
        batch_size=500,
        # Another request may add the same company at the same time.
        ignore_conflicts=True,
    )
    _note_project(companies, "added to project", project=project, by=by)
    return len(companies)


@transaction.atomic
def remove_from_project(ids: Iterable[int], *, project: Project, by: User) -> int:
    """Remove companies from the project's Directory; returns how many were in it."""
    rows = ProjectCompany.objects.filter(project=project, company__in=list(ids))
    # Locked, so that of two simultaneous requests only one records the removal.
    memberships = list(
        rows.select_for_update(of=("self",)).select_related("company").order_by("pk")
    )
    ProjectCompany.objects.filter(pk__in=[membership.pk for membership in memberships]).delete()
    companies = [membership.company for membership in memberships]
    _note_project(companies, "removed from project", project=project, by=by)
    return len(companies)


def stored_values(
    company: Company, names: Iterable[str], *, project: Project | None = None
) -> dict[str, object]:
    """Stored values of the given fields; of a file its name."""
    values: dict[str, object] = {}
    for name in names:
        if name in RELATIONS:
            # Django refuses to read a relation of a row that has no id yet.
            values[name] = list(getattr(company, name).all()) if company.pk else []
        elif name == "logo":
            values[name] = company.logo.name or ""
        elif name == "roles":
            membership = company.project_companies.filter(project=project).first()
            values[name] = membership.roles if membership else ""
        elif name in STORED:
            values[name] = getattr(company, name)
    return values


def value_changes(before: Mapping[str, object], after: Mapping[str, object]) -> Changes:
    """Field -> [old, new] as the history shows them, of the fields of ``after`` that differ."""
    changed = [name for name in after if name in FIELDS and not is_same(before[name], after[name])]
    return {name: [shown_value(before[name]), shown_value(after[name])] for name in changed}


def is_same(one: object, other: object) -> bool:
    """Whether two values of a field are the same; two people may have the same name."""
    return _compared(one) == _compared(other)


def _compared(value: Any) -> object:
    """People, trades and companies by id, everything else as it is shown."""
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, Iterable) and not isinstance(value, str | File):
        return sorted(str(getattr(item, "pk", item)) for item in value)
    return shown_value(value)


def shown_value(value: Any) -> Any:
    """A value as JSON for the history: people, trades and files by name."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str | File | Model):
        return str(value or "")
    # A relation has no order of its own, and the same choice must give the same value.
    return sorted(str(item) for item in value)


def _columns(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name in STORED}


def _set_relations(company: Company, values: Mapping[str, object]) -> None:
    for name in RELATIONS:
        if name in values:
            getattr(company, name).set(values[name])


def _replace_logo(company: Company, old: str, *, seen: int) -> None:
    """Write the uploaded file, and delete the old one when the transaction commits.

    The conditional UPDATE stores only a name, so the file must be in storage before it.
    """
    storage = company.logo.storage
    # Asked before the file is written: a refusal by the UPDATE alone would leave it in storage.
    if not Company.objects.filter(pk=company.pk).filter(sendable.edit_guard(seen)).exists():
        raise refusal_of(company, seen=seen)
    if company.logo:
        Company._meta.get_field("logo").pre_save(company, add=False)
    if old:
        # Files are not rolled back, so the old one stays until the new name is committed.
        transaction.on_commit(lambda: storage.delete(old))


def _update(company: Company, *, seen: int, **columns: object) -> None:
    """The conditional UPDATE of every edit. :raises EditRefused: if no row matches."""
    editable = Company.objects.filter(pk=company.pk).filter(sendable.edit_guard(seen))
    if not editable.update(**columns, revision=F("revision") + 1, updated_at=Now()):
        raise refusal_of(company, seen=seen)
    # Known without reading: the UPDATE matched only the revision that was seen.
    company.revision = seen + 1


def _switch(company: Company, *, active: bool, seen: int, by: User) -> Company:
    # A second click on the same button is no error.
    if company.is_active == active:
        return company
    _update(company, seen=seen, is_active=active)
    company.is_active = active
    data: Mapping[str, Json] = {
        "changes": {"is_active": [not active, active]},
        "revision": company.revision,
    }
    verb = Verb.REACTIVATED if active else Verb.DEACTIVATED
    note(company.account_id, [_note(company, verb, data=data)], by=by)
    sendable.note_edits(ENTITY, company.account_id, [company.pk])
    return company


def _note(company: Company, verb: str, *, data: Mapping[str, Json]) -> Note:
    return Note(ENTITY, company.pk, company.name, verb, data=data)


def _note_project(companies: Sequence[Company], verb: str, *, project: Project, by: User) -> None:
    data: Mapping[str, Json] = {"project": str(project), "project_id": project.pk}
    note(project.account_id, [_note(company, verb, data=data) for company in companies], by=by)

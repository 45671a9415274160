"""Creating and changing vendors from what a program sends, one or a thousand at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from directory.companies import services as company_services
from directory.companies.bulk_services import RELATED, edit_many
from directory.company_fields import required_fields
from directory.models import CLASSIFICATIONS, Company, EntityType, Trade
from directory.models.querysets import CompanyQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Origin
from erpbridge.access.models import Membership
from erpbridge.access.policy import Access
from erpbridge.rest.requests import bodies, countries
from erpbridge.rest.requests.bodies import Reader, reader
from erpbridge.rest.sync import Records, SyncRow, without_refused

ENTITY = "vendor"
TEXTS = (
    "name",
    "abbreviated_name",
    "address",
    "city",
    "zip",
    "country_code",
    "business_phone",
    "mobile_phone",
    "fax_number",
    "email_address",
    "website",
    "license_number",
    "labor_union",
    "notes",
    "trade_name",
)
FLAGS = (
    "is_active",
    "authorized_bidder",
    "prequalified",
    "union_member",
    "non_union_prevailing_wage",
)
LONGEST_ORIGIN, LONGEST_DATA = 200, 10_000
REQUIRED = "can't be blank"
STRANGER = "is not one of the vendor's people"
CONTACTS = ("primary_contact_id", "bidding_distribution_ids")


def _object(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError("must be an object")
    return value


KINDS_OF_FIRMS: dict[str, Reader] = dict.fromkeys(CLASSIFICATIONS, bodies.flag)


@reader({"type": "object", "properties": dict.fromkeys(KINDS_OF_FIRMS, bodies.flag.schema)})
def bidding(value: Any) -> dict[str, bool]:
    """Some of the thirteen classifications."""
    values, errors = bodies.read(_object(value), KINDS_OF_FIRMS)
    if errors:
        name, messages = next(iter(errors.items()))
        raise ValidationError(f"{name} {messages[0]}")
    return values


REGISTER = {
    "type": {"enum": [EntityType.EIN.value, EntityType.ABN.value]},
    "identifier": {"type": "string", "maxLength": Company.entity_id.field.max_length},
}


@reader({"type": "object", "properties": REGISTER})
def register(value: Any) -> tuple[str, str]:
    """Type and number of a business register. :raises ValidationError: for what cannot be."""
    given = _object(value)
    kind = bodies.plain(given.get("type")).lower()
    number = bodies.text(Company, "entity_id")(given.get("identifier"))
    if kind not in (EntityType.EIN, EntityType.ABN):
        raise ValidationError("type must be ein or abn")
    if not any(map(str.isdigit, number)):
        raise ValidationError("identifier must hold digits")
    return kind, number


READERS: dict[str, Reader] = {
    **{name: bodies.text(Company, name) for name in TEXTS},
    **countries.READERS,
    **dict.fromkeys(FLAGS, bodies.flag),
    "bidding": bidding,
    "business_register_attributes": register,
    "parent_id": bodies.whole,
    "primary_contact_id": bodies.whole,
    "bidding_distribution_ids": bodies.wholes,
    "trade_ids": bodies.wholes,
    "standard_cost_code_ids": bodies.wholes,
}
ORIGIN_READERS: dict[str, Reader] = {
    "origin_id": bodies.identifier(LONGEST_ORIGIN),
    "origin_code": bodies.identifier(LONGEST_ORIGIN),
    "origin_data": bodies.long_text(LONGEST_DATA),
}


@dataclass
class Writes(Records):
    """Rows of vendors on their way into the Directory of an account, or of a project too.

    ``required``: the columns that must not be empty afterwards, beside the name.
    """

    readers = READERS | ORIGIN_READERS

    access: Access
    required: Collection[str] = ()
    _trades: dict[int, Trade] = field(default_factory=dict)
    _people: dict[int, dict[int, Membership]] = field(default_factory=dict)
    _codes: set[int] = field(default_factory=set)

    def found(self) -> CompanyQuerySet:
        """Those that the caller can see."""
        return Company.objects.visible_to(self.access)

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and update, then say what each is called in the ERP."""
        if not self._trades:
            self._trades = {one.pk: one for one in self.access.account.trades.all()}
        known = {row.pk for row in rows if row.pk is not None}
        with_trades = ["trades"] if "trades" in self.required else []
        stored = Company.objects.prefetch_related(*with_trades).in_bulk(known)
        self._people = _people(rows)
        self._codes = sendable.existing("cost_code", self.access.account.pk, _codes_named(rows))
        values = {id(row): self._values(row, stored.get(row.pk or 0)) for row in rows}
        self._refuse_impossible_origins(rows)
        if any(_origin(row) != Origin() for row in rows if not row.errors):
            sendable.hold(self.access.account.pk)

        def put(some: Sequence[SyncRow]) -> None:
            both = [(row, values[id(row)]) for row in some]
            self._update([(row, one) for row, one in both if row.pk is not None])
            self._create([(row, one) for row, one in both if row.pk is None])
            self._call([row for row in some if not row.errors])

        without_refused([row for row in rows if not row.errors], put)

    def _values(self, row: SyncRow, company: Company | None) -> dict[str, Any]:
        values, errors = bodies.read(row.given, READERS)
        _origins, wrong = bodies.read(row.given, ORIGIN_READERS)
        row.refuse(errors | wrong)
        if company is None and not values.get("name") and "name" not in errors:
            row.refuse({"name": [REQUIRED]})
        for part in (self._places, self._classified, self._related, self._switched):
            row.refuse(part(values, company))
        wanting = required_fields.missing(self.required, values, company)
        row.refuse({name: said for name, said in wanting.items() if name not in row.errors})
        return values

    def _places(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        return countries.codes(values, country=company.country_code if company else "")

    def _classified(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        """The flags that were given over those that were there; and the register's number."""
        if "bidding" in values:
            held = set(company.classifications) if company else set()
            for name, on in values.pop("bidding").items():
                (held.add if on else held.discard)(name)
            values["classifications"] = sorted(held)
        if "business_register_attributes" in values:
            kind, number = values.pop("business_register_attributes")
            values |= {"entity_type": kind, "entity_id": number}
        return {}

    def _related(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        errors = {}
        if "trade_ids" in values:
            pks = values.pop("trade_ids")
            missing = [pk for pk in pks if pk not in self._trades]
            if missing:
                errors["trade_ids"] = [f"there is no trade {missing[0]}"]
            values["trades"] = [self._trades[pk] for pk in pks if pk in self._trades]
        strange = [pk for pk in values.get("standard_cost_code_ids", ()) if pk not in self._codes]
        if strange:
            errors["standard_cost_code_ids"] = [f"there is no standard cost code {strange[0]}"]
        if "parent_id" in values:
            errors |= self._parent(values, company)
        return errors | self._contacts(values, company)

    def _contacts(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        """People of the vendor, named by their user ids; a new vendor has none yet."""
        errors = {}
        people = self._people.get(company.pk, {}) if company else {}
        if "primary_contact_id" in values:
            pk = values.pop("primary_contact_id")
            values["primary_contact"] = people.get(pk)
            if pk and pk not in people:
                errors["primary_contact_id"] = [STRANGER]
        if "bidding_distribution_ids" in values:
            pks = values.pop("bidding_distribution_ids")
            values["bid_contacts"] = [people[pk] for pk in pks if pk in people]
            if any(pk not in people for pk in pks):
                errors["bidding_distribution_ids"] = [STRANGER]
        return errors

    def _parent(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        """A head office that is a branch of none, for a company without branches."""
        pk = values.pop("parent_id")
        found = Company.objects.filter(account=self.access.account, pk=pk).first() if pk else None
        values["parent"] = found
        if pk and found is None:
            return {"parent_id": [f"there is no vendor {pk}"]}
        if found is None:
            return {}
        branches = company is not None and company.children.exists()
        if found.parent_id is not None or branches or found == company:
            return {"parent_id": ["a parent and its children are at most two levels"]}
        return {}

    def _switched(self, values: dict[str, Any], company: Company | None) -> dict[str, list[str]]:
        if company is None or company.is_active or not values.get("is_active"):
            return {}
        answer = self.access.can("companies.reactivate")
        return {} if answer else {"is_active": [answer.why]}

    def _refuse_impossible_origins(self, rows: Sequence[SyncRow]) -> None:
        """What of the ERP cannot be set for known reasons, before anything is written."""
        answer = self.access.can("items.import", ENTITY)
        for row in rows:
            if row.pk is None and not answer and _origin(row).id:
                row.refuse({"origin_id": [answer.why]})
        wanted = {_origin(row).id: row for row in rows if _origin(row).id and not row.errors}
        found = Company.objects.filter(account=self.access.account, origin_id__in=list(wanted))
        for origin_id, pk in found.values_list("origin_id", "pk"):
            if wanted[origin_id].pk != pk:
                message = f"has already been taken by {pk}"
                wanted[origin_id].refuse({"origin_id": [message]})

    def _update(self, rows: Sequence[tuple[SyncRow, dict[str, Any]]]) -> None:
        wanted = {row.pk: values for row, values in rows if row.pk is not None}
        refused = edit_many(wanted, account=self.access.account, by=self.access.user)
        for row, _values in rows:
            if row.pk in refused:
                row.refuse({"base": [refused[row.pk]]})

    def _create(self, rows: Sequence[tuple[SyncRow, dict[str, Any]]]) -> None:
        if not rows:
            return
        new = [
            Company(**{name: one for name, one in values.items() if name not in RELATED})
            for _row, values in rows
        ]
        made = company_services.create_many(
            new,
            account=self.access.account,
            project=self.access.project,
            by=self.access.user,
            trades=[[one.name for one in values.get("trades", [])] for _row, values in rows],
        )
        for (row, _values), company in zip(rows, made, strict=True):
            row.pk = company.pk

    def _call(self, rows: Sequence[SyncRow]) -> None:
        wanted = {row.pk: _origin(row) for row in rows if row.pk is not None}
        wanted = {pk: one for pk, one in wanted.items() if one != Origin()}
        if not wanted:
            return
        problems = sendable.link(ENTITY, wanted, access=self.access)
        for row in rows:
            if row.pk in problems:
                problem = problems[row.pk]
                row.refuse({problem.field: [problem.message]})


def _people(rows: Sequence[SyncRow]) -> dict[int, dict[int, Membership]]:
    """Vendor id -> user id -> the person, of the vendors for which contacts are given."""
    named = [row.pk for row in rows if row.pk and any(name in row.given for name in CONTACTS)]
    found: dict[int, dict[int, Membership]] = {}
    through = Company.people.through.objects.filter(company__in=named)
    for row in through.select_related("membership__user") if named else ():
        found.setdefault(row.company_id, {})[row.membership.user_id] = row.membership
    return found


def _codes_named(rows: Sequence[SyncRow]) -> set[int]:
    """Ids of standard cost codes that rows give."""
    reader = {"standard_cost_code_ids": bodies.wholes}
    return {pk for row in rows for ids in bodies.read(row.given, reader)[0].values() for pk in ids}


def _origin(row: SyncRow) -> Origin:
    """What the row says of the ERP; null empties, a part that is missing stays."""
    values, _errors = bodies.read(row.given, ORIGIN_READERS)
    return Origin(*(values.get(name) for name in ORIGIN_READERS))

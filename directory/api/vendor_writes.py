"""Create and change vendors from API calls, one or up to 1,000 at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django.core.exceptions import ValidationError

from directory.companies import services as company_services
from directory.companies.bulk_services import RELATED, edit_many
from directory.company_fields import required_fields
from directory.models import CLASSIFICATIONS, Company, EntityType, Trade
from directory.models.querysets import CompanyQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Origin
from erpbridge.access.models import Membership
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.among import among
from erpbridge.rest.requests import bodies, countries
from erpbridge.rest.requests.bodies import Reader, Values, reader
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


def _object(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError("must be an object")
    return value


KINDS_OF_FIRMS: dict[str, Reader[object]] = dict.fromkeys(CLASSIFICATIONS, bodies.flag)


@reader({"type": "object", "properties": dict.fromkeys(KINDS_OF_FIRMS, bodies.flag.schema)})
def bidding(value: object) -> dict[str, bool]:
    """Any of the 13 business classifications.

    :raises ValidationError: for the first invalid one.
    """
    values, errors = bodies.read(_object(value), KINDS_OF_FIRMS)
    if errors:
        # A reader raises one error, so the first of several is told.
        name, messages = next(iter(errors.items()))
        raise ValidationError(f"{name} {messages[0]}")
    return values


REGISTER = {
    "type": {"enum": [EntityType.EIN.value, EntityType.ABN.value]},
    "identifier": {"type": "string", "maxLength": Company.entity_id.field.max_length},
}


@reader({"type": "object", "properties": REGISTER})
def register(value: object) -> tuple[str, str]:
    """Type and number of a business register. :raises ValidationError: for invalid values."""
    fields = _object(value)
    kind = bodies.plain(fields.get("type")).lower()
    number = bodies.text(Company, "entity_id")(fields.get("identifier"))
    if kind not in (EntityType.EIN, EntityType.ABN):
        raise ValidationError("type must be ein or abn")
    if not any(map(str.isdigit, number)):
        raise ValidationError("identifier must hold digits")
    return kind, number


READERS: dict[str, Reader[object]] = {
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
ORIGIN_READERS: dict[str, Reader[object]] = {
    "origin_id": bodies.identifier(LONGEST_ORIGIN),
    "origin_code": bodies.identifier(LONGEST_ORIGIN),
    "origin_data": bodies.long_text(LONGEST_DATA),
}


@dataclass
class Writes(Records):
    """Stores rows of vendors in the Directory of an account, or also of a project.

    ``required``: columns that must not be empty afterwards, in addition to the name.
    """

    readers = READERS | ORIGIN_READERS

    access: Access
    required: Collection[str] = ()
    _people: dict[int, dict[int, Membership]] = field(default_factory=dict)
    _codes: set[int] = field(default_factory=set)

    def visible(self) -> CompanyQuerySet:
        """The vendors that the caller can see."""
        return Company.objects.visible_to(self.access)

    @cached_property
    def _trades(self) -> dict[int, Trade]:
        # store() may be called several times in one sync; the trades are the same each time.
        return {trade.pk: trade for trade in self.access.account.trades.all()}

    def store(self, rows: Sequence[SyncRow]) -> None:
        """Create and update vendors, then store their ERP ids."""
        pks = {row.pk for row in rows if row.pk is not None}
        with_trades = ["trades"] if "trades" in self.required else []
        # The ids are of vendors that the caller can see: they come from visible().
        known = Company.objects.filter(among("pk", pks))
        stored = known.prefetch_related(*with_trades).in_bulk()
        self._people = _people(rows)
        self._codes = sendable.existing("cost_code", self.access.account.pk, _codes_named(rows))
        # Read once per row: ``put`` runs again, without the refused rows, after some row was
        # refused.
        values = {id(row): self._values(row, stored.get(row.pk or 0)) for row in rows}
        if any(_origin(row) != Origin() for row in rows if not row.errors):
            # Connections are locked before records (docs/locks.md).
            sendable.hold(self.access.account.pk)

        def put(good: Sequence[SyncRow]) -> None:
            pairs = [(row, values[id(row)]) for row in good]
            # In this order, because a link needs the ids of new rows, and a row whose edit was
            # refused must not be linked.
            self._update([pair for pair in pairs if pair[0].pk is not None])
            self._create([pair for pair in pairs if pair[0].pk is None])
            self._link([row for row in good if not row.errors])

        without_refused([row for row in rows if not row.errors], put)

    def _values(self, row: SyncRow, company: Company | None) -> Values:
        values, errors = bodies.read(row.given, READERS)
        # Only for the errors: the origin belongs to the link, not to the company.
        _origins, origin_errors = bodies.read(row.given, ORIGIN_READERS)
        row.refuse(errors | origin_errors)
        if company is None and not values.get("name") and "name" not in errors:
            row.refuse({"name": [REQUIRED]})
        for part in (self._places, self._split_columns, self._related, self._reactivated):
            row.refuse(part(values, company))
        missing = required_fields.missing(self.required, values, company)
        # A value that could not be read is wrong, not missing.
        row.refuse({name: messages for name, messages in missing.items() if name not in row.errors})
        return values

    def _places(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        return countries.codes(values, country=company.country_code if company else "")

    def _split_columns(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        """Merge the given flags with the stored ones; split the register into its columns."""
        if "bidding" in values:
            classifications = set(company.classifications) if company else set()
            for name, on in values.pop("bidding").items():
                (classifications.add if on else classifications.discard)(name)
            values["classifications"] = sorted(classifications)
        if "business_register_attributes" in values:
            kind, number = values.pop("business_register_attributes")
            values |= {"entity_type": kind, "entity_id": number}
        return {}

    def _related(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        errors = {}
        if "trade_ids" in values:
            pks = values.pop("trade_ids")
            missing = [pk for pk in pks if pk not in self._trades]
            if missing:
                errors["trade_ids"] = [f"there is no trade {missing[0]}"]
            # With a missing trade the row is refused as a whole.
            values["trades"] = [self._trades[pk] for pk in pks if pk in self._trades]
        unknown_codes = [
            pk for pk in values.get("standard_cost_code_ids", ()) if pk not in self._codes
        ]
        if unknown_codes:
            errors["standard_cost_code_ids"] = [
                f"there is no standard cost code {unknown_codes[0]}"
            ]
        if "parent_id" in values:
            errors |= self._parent(values, company)
        return errors | self._contacts(values, company)

    def _contacts(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        """Contacts, given by user id. They must be people of the vendor; a new one has none."""
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

    def _parent(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        """The parent must not have a parent, and a vendor with children cannot get one."""
        pk = values.pop("parent_id")
        # Any company of the account, also an inactive one or one that is not on the project. The
        # account is locked by then, so the parent cannot get a parent of its own meanwhile.
        parent = Company.objects.filter(account=self.access.account, pk=pk).first() if pk else None
        values["parent"] = parent
        if pk and parent is None:
            return {"parent_id": [f"there is no vendor {pk}"]}
        if parent is None:
            return {}
        has_children = company is not None and company.children.exists()
        if parent.parent_id is not None or has_children or parent == company:
            return {"parent_id": ["a parent and its children are at most two levels"]}
        return {}

    def _reactivated(self, values: Values, company: Company | None) -> dict[str, list[str]]:
        if company is None or company.is_active or not values.get("is_active"):
            return {}
        # Reactivating takes more than editing: docs/design/permissions.md, "Who does what".
        permission = self.access.can(Permission.COMPANIES_REACTIVATE)
        return {} if permission else {"is_active": [permission.why]}

    def _update(self, rows: Sequence[tuple[SyncRow, Values]]) -> None:
        changes = {row.pk: values for row, values in rows if row.pk is not None}
        result = edit_many(changes, account=self.access.account, by=self.access.user)
        reasons = {left.record_id: left.why for left in result.refused}
        for row, _values in rows:
            if row.pk in reasons:
                row.refuse({"base": [reasons[row.pk]]})

    def _create(self, rows: Sequence[tuple[SyncRow, Values]]) -> None:
        if not rows:
            return
        new = [
            Company(**{name: value for name, value in values.items() if name not in RELATED})
            for _row, values in rows
        ]
        created = company_services.create_many(
            new,
            account=self.access.account,
            project=self.access.project,
            by=self.access.user,
            trades=[[trade.name for trade in values.get("trades", [])] for _row, values in rows],
        )
        for (row, _values), company in zip(rows, created, strict=True):
            row.pk = company.pk

    def _link(self, rows: Sequence[SyncRow]) -> None:
        origins = {row.pk: _origin(row) for row in rows if row.pk is not None}
        origins = {pk: origin for pk, origin in origins.items() if origin != Origin()}
        if not origins:
            return
        problems = sendable.link(ENTITY, origins, access=self.access)
        for row in rows:
            if row.pk in problems:
                problem = problems[row.pk]
                row.refuse({problem.field: [problem.message]})


def _people(rows: Sequence[SyncRow]) -> dict[int, dict[int, Membership]]:
    """Vendor id -> user id -> membership, for rows that set contacts."""
    vendor_ids = [row.pk for row in rows if row.pk and any(name in row.given for name in CONTACTS)]
    people: dict[int, dict[int, Membership]] = {}
    through = Company.people.through.objects.filter(company__in=vendor_ids)
    for row in through.select_related("membership__user") if vendor_ids else ():
        people.setdefault(row.company_id, {})[row.membership.user_id] = row.membership
    return people


def _codes_named(rows: Sequence[SyncRow]) -> set[int]:
    """Ids of the standard cost codes in the rows."""
    # Errors are left to ``_values``, which reports them with those of the other fields.
    reader = {"standard_cost_code_ids": bodies.wholes}
    return {pk for row in rows for ids in bodies.read(row.given, reader)[0].values() for pk in ids}


def _origin(row: SyncRow) -> Origin:
    """The ERP ids of a row; null clears a value, a missing field leaves it."""
    values, _errors = bodies.read(row.given, ORIGIN_READERS)
    return Origin(*(values.get(name) for name in ORIGIN_READERS))

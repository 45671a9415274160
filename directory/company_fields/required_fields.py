"""Fields that companies of an account must have in API calls that ask for the check.

The pages require only a name. API calls ask with ``run_configurable_validations``.
See docs/design/directory-and-companies.md, "Required fields".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction

from directory.models import Company, RequiredFields
from erpbridge.access.models import Account
from erpbridge.access.policy import Access
from erpbridge.access.services import accounts
from erpbridge.audit.services import Note, Verb, changes, note

# Column -> name in the API.
FIELDS: Mapping[str, str] = {
    **{
        name: name
        for name in (
            "abbreviated_name",
            "trade_name",
            "address",
            "city",
            "state_code",
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
        )
    },
    "entity_id": "business_register_attributes",
    "trades": "trade_ids",
}
LABELS: Mapping[str, str] = {
    name: "Trades" if name == "trades" else str(Company._meta.get_field(name).verbose_name)  # type: ignore[union-attr]  # a column
    for name in FIELDS
}
BLANK = "can't be blank: the company requires it"


def of(account: Account) -> list[str]:
    """The columns that the account requires, in the order of ``FIELDS``."""
    stored = RequiredFields.objects.filter(account=account).values_list("names", flat=True).first()
    # Stored names may be of fields that no longer exist.
    return [name for name in FIELDS if name in (stored or ())]


@transaction.atomic
def configure(names: Collection[str], *, by: Access) -> None:
    """Require exactly these columns."""
    # Locked, so that the event of the second of two Admins names what the first one stored.
    account = Account.objects.select_for_update(no_key=True).get(pk=by.account.pk)
    before = of(account)
    required = [name for name in FIELDS if name in names]
    RequiredFields.objects.update_or_create(account=account, defaults={"names": required})
    label = "Required fields of companies"
    changed = changes({label: _words(before)}, {label: _words(required)})
    if changed:
        data = {"changes": changed}
        event = Note(accounts.ENTITY, account.pk, account.name, Verb.CHANGED, data=data)
        note(account.pk, [event], by=by.user)


def missing(
    names: Collection[str], values: Mapping[str, object], company: Company | None
) -> dict[str, list[str]]:
    """Required fields that would be empty after ``values`` are stored, by API name.

    If trades are required, they must be prefetched on the company.
    """
    return {FIELDS[name]: [BLANK] for name in names if not _has_value(name, values, company)}


def _has_value(name: str, values: Mapping[str, object], company: Company | None) -> bool:
    if name in values or company is None:
        # A value that is sent empty counts as missing, whatever is stored.
        return bool(values.get(name))
    return bool(company.trades.all()) if name == "trades" else bool(getattr(company, name))


def _words(names: Collection[str]) -> str:
    return ", ".join(LABELS[name] for name in names)

"""The forms of a company, with every General field of its record."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from directory.companies.services import COLUMNS, RELATIONS
from directory.company_fields import countries, logos, required_fields
from directory.company_fields.contacts import CONTACTS, check_contacts
from directory.company_fields.form_fields import Label, One, Several
from directory.company_fields.validation import placed, tax_id_refusals
from directory.models import CLASSIFICATIONS, Company, EntityType
from erp_integrations import sendable
from erpbridge.access.models import Membership
from erpbridge.access.policy import Access
from erpbridge.ui.forms import PlainTexts, limit_attrs

LONGEST_TRADE = 200
# Longer than the column, which stores the code of the name that was typed.
LONGEST_STATE_NAME = 60
MOST_NEW_TRADES = 20
SECTIONS = {
    "Name": ("name", "abbreviated_name", "trade_name", "entity_type", "entity_id"),
    "Contact": ("business_phone", "mobile_phone", "fax_number", "email_address", "website"),
    "Address": ("address", "city", "state_code", "zip", "country_code"),
    "Trades and keywords": ("trades", "new_trades", "notes"),
    "Logo": ("logo", "remove_logo"),
    "People": ("people", *CONTACTS),
    "This project": ("roles",),
    "Labor and bidding": (
        "license_number",
        "labor_union",
        "union_member",
        "non_union_prevailing_wage",
        "prequalified",
        "authorized_bidder",
        "is_own_company",
    ),
    "Business classifications": ("classifications",),
}
NOTES = {
    "Business classifications": "Optional disclosure for US government work. "
    "Leave all boxes empty where it does not apply.",
    "People": "Contacts are chosen among the people of this company.",
}
SHORT_NOTE = "At most 10 characters; shown where the full name does not fit."
LIST_OF_STATES = "states"


class RequiredForm(forms.Form):
    """The fields that are required in API calls."""

    names = forms.MultipleChoiceField(
        label="Required fields of companies",
        choices=list(required_fields.LABELS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "For programs that call the API with run_configurable_validations=true: a company "
            "that would lack one of these is refused. The pages require only a name."
        ),
    )


class CompanyForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]
    """Create or edit a company. The form does not save; ``companies.services`` does."""

    classifications = forms.MultipleChoiceField(
        choices=list(CLASSIFICATIONS.items()),
        required=False,
        label="Business classifications",
        widget=forms.CheckboxSelectMultiple,
    )
    country_code = forms.ChoiceField(
        label="Country", required=False, choices=[("", "Not given"), *countries.countries().items()]
    )
    state_code = forms.CharField(
        label="State",
        required=False,
        max_length=LONGEST_STATE_NAME,
        help_text="The code, such as MD; a name is turned into its code.",
        widget=forms.TextInput(attrs={"list": LIST_OF_STATES, "autocomplete": "off"}),
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        help_text="PNG, JPEG or WebP, at most 1 MB.",
        widget=forms.FileInput(attrs={"accept": ",".join(logos.CONTENT_TYPES.values())}),
    )
    remove_logo = forms.BooleanField(label="Remove the present logo", required=False)
    new_trades = forms.CharField(
        label="Add trades that are not in the list",
        required=False,
        max_length=1000,
        help_text="Names separated by commas; they join the account's list of trades.",
    )
    trades = Several(label="Trades", required=False)
    people = Several(label="People of this company", required=False)
    primary_contact = One(label="Primary contact", required=False)
    contract_signer = One(label="Contract signer", required=False)
    invoice_contacts = Several(label="Invoice contacts", required=False)
    bid_contacts = Several(label="Bid contacts", required=False)
    roles = forms.CharField(
        label="Project roles", required=False, max_length=200, help_text="On this project only."
    )

    class Meta:
        model = Company
        fields = (*COLUMNS, *RELATIONS)
        widgets = {
            "notes": forms.Textarea(attrs={"rows": 3}),
            "business_phone": forms.TextInput(attrs={"type": "tel"}),
            "mobile_phone": forms.TextInput(attrs={"type": "tel"}),
            "fax_number": forms.TextInput(attrs={"type": "tel"}),
        }
        help_texts = {
            "abbreviated_name": SHORT_NOTE,
            "trade_name": "Found by the search, like the name.",
            "notes": "Found by the search.",
            "authorized_bidder": "For reports only.",
            "is_own_company": "The account's own firm.",
        }

    def __init__(
        self,
        data: QueryDict | None = None,
        files: MultiValueDict[str, UploadedFile[bytes]] | None = None,
        *,
        access: Access,
        company: Company | None = None,
        initial: dict[str, object] | None = None,
    ) -> None:
        # A copy, because a ModelForm writes typed values to its instance before they are valid.
        instance = copy.copy(company or Company(account=access.account))
        super().__init__(data, files, initial=initial, instance=instance)
        self.access = access
        self.company = company
        self._fit_scope()
        self._offer_people()
        self._count_characters()
        # In place of Django's row of dashes.
        self.fields["entity_type"].choices = [("", "Not given"), *EntityType.choices]

    @property
    def values(self) -> dict[str, object]:
        """The values of a valid form, as the services expect them."""
        values = {
            name: self.cleaned_data[name] for name in self.fields if name in self.cleaned_data
        }
        remove = values.pop("remove_logo", False)
        # Without an upload the field has the stored file, which is no new value.
        if not isinstance(values.get("logo"), UploadedFile):
            values.pop("logo", None)
            if remove:
                values["logo"] = ""
        return values

    @property
    def sections(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        """Heading, note and fields of each section of the page."""
        return [
            (heading, NOTES.get(heading, ""), [self[name] for name in names if name in self.fields])
            for heading, names in SECTIONS.items()
            if any(name in self.fields for name in names)
        ]

    @property
    def states(self) -> dict[str, str]:
        """State codes and names of the chosen country."""
        return countries.states(self["country_code"].value() or countries.HOME)

    def clean_logo(self) -> object:
        """Check an uploaded logo; otherwise keep the stored one."""
        upload = self.cleaned_data["logo"]
        return logos.check(upload) if isinstance(upload, UploadedFile) else upload

    def clean_new_trades(self) -> list[str]:
        """The names, without duplicates."""
        typed = self.cleaned_data["new_trades"].split(",")
        names = list(dict.fromkeys(name.strip() for name in typed if name.strip()))
        if len(names) > MOST_NEW_TRADES:
            raise ValidationError(f"At most {MOST_NEW_TRADES} at a time; there are {len(names)}.")
        for name in names:
            if len(name) > LONGEST_TRADE:
                raise ValidationError(
                    f"“{name[:40]}…” has {len(name)} characters; the limit is {LONGEST_TRADE}."
                )
        return names

    def clean_classifications(self) -> list[str]:
        """Sort them, so that the same boxes give the same value."""
        return sorted(self.cleaned_data["classifications"])

    def clean(self) -> dict[str, Any]:
        """Check rules between fields."""
        values = super().clean() or self.cleaned_data
        self._clean_state(values)
        # A field with an error of its own is missing here.
        if "entity_id" in values and "entity_type" in values:
            for name, refusal in tax_id_refusals(values).items():
                self.add_error(name, refusal)
        # Without valid people every contact would look like a stranger.
        if "people" in values:
            try:
                check_contacts(values)
            except ValidationError as wrong:
                self.add_error(None, wrong)
        return values

    def _clean_state(self, values: dict[str, Any]) -> None:
        if "state_code" not in values or "country_code" not in values:
            return
        codes, refusal = placed(values["state_code"], values["country_code"])
        if refusal:
            self.add_error("state_code", refusal)
        else:
            values |= codes

    def _fit_scope(self) -> None:
        """Remove fields that do not apply: roles without a project, remove_logo without a logo."""
        if self.access.project is None:
            del self.fields["roles"]
        elif self.company is not None:
            membership = self.company.project_companies.filter(project=self.access.project).first()
            self.initial["roles"] = membership.roles if membership else ""
        if self.company is None or not self.company.logo:
            del self.fields["remove_logo"]
        self._offer("trades", self.access.account.trades.order_by("name_key"))

    def _offer_people(self) -> None:
        """Offer active people, and as contacts only people of the company or ticked ones."""
        account_people = Membership.objects.people().filter(account=self.access.account)
        account_people = account_people.select_related("user")
        own_people = (
            account_people.filter(companies=self.company) if self.company else account_people.none()
        )
        members = {person.pk for person in own_people}
        # Inactive people of the company stay offered, or saving would take them off it.
        offered = [
            person
            for person in account_people.order_by("user__name", "pk")
            if (person.is_active and person.user.is_active) or person.pk in members
        ]
        self._offer("people", offered, label=_named)
        # Whoever is ticked now becomes one of the people together with being a contact.
        ticked = self.data.getlist("people") if self.is_bound else []  # type: ignore[attr-defined]
        contacts = [
            member for member in offered if member.pk in members or str(member.pk) in ticked
        ]
        for name in CONTACTS:
            self._offer(name, contacts, label=_named)
        # With a posted contact the fields stay, so that it is refused instead of silently dropped.
        if not contacts and not any(self.data.get(name) for name in CONTACTS):
            for name in CONTACTS:
                del self.fields[name]
            self.fields["people"].help_text = "Contacts can be chosen once people are saved."

    def _offer(self, name: str, rows: Iterable[Model], *, label: Label = str) -> None:
        field = self.fields[name]
        assert isinstance(field, One | Several)
        field.offer(rows, label=label)

    def _count_characters(self) -> None:
        """Show the ERP's length limits at the fields."""
        limits = sendable.limits(self.access.account.pk, "vendor")
        for name, limit in limits.items():
            # A choice cannot be shortened by typing.
            if name in self.fields and not isinstance(self.fields[name], forms.ChoiceField):
                label = f"{limit.erp_label} takes {limit.most}"
                self.fields[name].widget.attrs.update(limit_attrs(limit.most, label=label))


def _named(person: Membership) -> str:
    """Name and e-mail address, because two people may have the same name."""
    return f"{person.user.name} ({person.user.email})"


def number_warning(values: Mapping[str, Any]) -> str | None:
    """Why a tax number looks wrong. It is stored as typed, because registers have exceptions."""
    # Imported here: only a company that is saved needs it.
    from stdnum.au import abn
    from stdnum.exceptions import ValidationError as NumberError
    from stdnum.us import ein

    number = values.get("entity_id", "")
    # There is no known form to check numbers of other registers by.
    check = {EntityType.EIN: ein, EntityType.ABN: abn}.get(values.get("entity_type", ""))
    if not number or check is None:
        return None
    try:
        check.validate("".join(number.split()))
    except NumberError:
        label = EntityType(values["entity_type"]).label
        return f"{number} does not look like a valid {label}. It was saved as typed; please check."
    return None

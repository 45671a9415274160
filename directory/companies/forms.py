"""The forms of a company: every General field of its record."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from stdnum.au import abn
from stdnum.exceptions import ValidationError as NumberError
from stdnum.us import ein

from directory.companies.services import COLUMNS, RELATIONS
from directory.company_fields import countries, logos, required_fields
from directory.company_fields.contacts import CONTACTS, check_contacts
from directory.company_fields.form_fields import One, Several
from directory.company_fields.validation import placed, tax_id_refusals
from directory.models import CLASSIFICATIONS, Company, EntityType
from erp_integrations import sendable
from erpbridge.access.models import Membership
from erpbridge.access.policy import Access
from erpbridge.ui.forms import PlainTexts, limit_attrs

LONGEST_TRADE = 200
LONGEST_STATE_NAME = 60
MOST_NEW_TRADES = 20
SECTIONS = {
    "Name": ("name", "abbreviated_name", "trade_name", "entity_type", "entity_id"),
    "Contact": ("business_phone", "mobile_phone", "fax_number", "email_address", "website"),
    "Address": ("address", "city", "state_code", "zip", "country_code"),
    "Trades and Keywords": ("trades", "new_trades", "notes"),
    "Logo": ("logo", "remove_logo"),
    "People": ("people", *CONTACTS),
    "This Project": ("roles",),
    "Labor and Bidding": (
        "license_number",
        "labor_union",
        "union_member",
        "non_union_prevailing_wage",
        "prequalified",
        "authorized_bidder",
        "is_own_company",
    ),
    "Business Classifications": ("classifications",),
}
NOTES = {
    "Business Classifications": "Optional disclosure for US government work. "
    "Leave all boxes empty where it does not apply.",
    "People": "Contacts are chosen among the people of this company.",
}
SHORT_NOTE = "At most 10 characters; shown where the full name does not fit."
LIST_OF_STATES = "states"


class RequiredForm(forms.Form):
    """Which fields programs have to fill in."""

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
    """Create or edit; the values go to ``companies``, the form saves nothing itself."""

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
        initial: dict[str, Any] | None = None,
    ) -> None:
        # A copy, for a ModelForm writes what was typed onto its instance before it is valid.
        instance = copy.copy(company or Company(account=access.account))
        super().__init__(data, files, initial=initial, instance=instance)
        self.access = access
        self.company = company
        self._fit_scope()
        self._offer_people()
        self._count_characters()
        self.fields["entity_type"].choices = [("", "Not given"), *EntityType.choices]

    @property
    def values(self) -> dict[str, Any]:
        """What the write functions take, of a valid form."""
        found = {name: self.cleaned_data[name] for name in self.fields if name in self.cleaned_data}
        remove = found.pop("remove_logo", False)
        if not isinstance(found.get("logo"), UploadedFile):
            found.pop("logo", None)
            if remove:
                found["logo"] = ""
        return found

    @property
    def sections(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        """Heading, note and fields of each part of the page."""
        return [
            (heading, NOTES.get(heading, ""), [self[name] for name in names if name in self.fields])
            for heading, names in SECTIONS.items()
            if any(name in self.fields for name in names)
        ]

    @property
    def states(self) -> dict[str, str]:
        """Codes and names offered for the state."""
        return countries.states(self["country_code"].value() or countries.HOME)

    def clean_logo(self) -> Any:
        """A picture we take, or what was there."""
        upload = self.cleaned_data["logo"]
        return logos.check(upload) if isinstance(upload, UploadedFile) else upload

    def clean_new_trades(self) -> list[str]:
        """The names, each once."""
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
        """In the order of the page, so that the same boxes are the same value."""
        return sorted(self.cleaned_data["classifications"])

    def clean(self) -> dict[str, Any]:
        """The rules between fields."""
        found = super().clean() or self.cleaned_data
        self._clean_state(found)
        if "entity_id" in found and "entity_type" in found:
            for name, refusal in tax_id_refusals(found).items():
                self.add_error(name, refusal)
        if "people" in found:
            try:
                check_contacts(found)
            except ValidationError as wrong:
                self.add_error(None, wrong)
        return found

    def _clean_state(self, found: dict[str, Any]) -> None:
        if "state_code" not in found or "country_code" not in found:
            return
        values, refusal = placed(found["state_code"], found["country_code"])
        if refusal:
            self.add_error("state_code", refusal)
        else:
            found |= values

    def _fit_scope(self) -> None:
        """Project roles belong to a project, and a logo must be there to be removed."""
        if self.access.project is None:
            del self.fields["roles"]
        elif self.company is not None:
            placed = self.company.project_companies.filter(project=self.access.project).first()
            self.initial["roles"] = placed.roles if placed else ""
        if self.company is None or not self.company.logo:
            del self.fields["remove_logo"]
        self._offer("trades", self.access.account.trades.order_by("name_key"))

    def _offer_people(self) -> None:
        """Everybody active may belong to the company; contacts come from who does, or will."""
        known = Membership.objects.people().filter(account=self.access.account)
        known = known.select_related("user")
        theirs = known.filter(companies=self.company) if self.company else known.none()
        members = {person.pk for person in theirs}
        offered = [
            person
            for person in known.order_by("user__name", "pk")
            if (person.is_active and person.user.is_active) or person.pk in members
        ]
        self._offer("people", offered, label=_named)
        ticked = self.data.getlist("people") if self.is_bound else []  # type: ignore[attr-defined]
        contacts = [one for one in offered if one.pk in members or str(one.pk) in ticked]
        for name in CONTACTS:
            self._offer(name, contacts, label=_named)
        if not contacts and not any(self.data.get(name) for name in CONTACTS):
            for name in CONTACTS:
                del self.fields[name]
            self.fields["people"].help_text = "Contacts can be chosen once people are saved."

    def _offer(self, name: str, rows: Iterable[Any], *, label: Callable[[Any], str] = str) -> None:
        field = self.fields[name]
        assert isinstance(field, One | Several)
        field.offer(rows, label=label)

    def _count_characters(self) -> None:
        """Show the ERP's limits."""
        limits = sendable.limits(self.access.account.pk, "vendor")
        for name, limit in limits.items():
            if name in self.fields and not isinstance(self.fields[name], forms.ChoiceField):
                label = f"{limit.erp_label} takes {limit.most}"
                self.fields[name].widget.attrs.update(limit_attrs(limit.most, label=label))


def _named(person: Membership) -> str:
    """Name and address, for two people may share a name."""
    return f"{person.user.name} ({person.user.email})"


def number_warning(values: Mapping[str, Any]) -> str:
    """Why a tax number looks wrong; it is stored as typed, for registers have exceptions."""
    number = values.get("entity_id", "")
    check = {EntityType.EIN: ein, EntityType.ABN: abn}.get(values.get("entity_type", ""))
    if not number or check is None:
        return ""
    try:
        check.validate("".join(number.split()))
    except NumberError:
        label = EntityType(values["entity_type"]).label
        return f"{number} does not look like a valid {label}. It was saved as typed; please check."
    return ""

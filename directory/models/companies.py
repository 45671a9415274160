"""The company record, its place on projects, and its people and trades.

Fields have the names of Procore's REST API if it has them.
See docs/design/directory-and-companies.md, "Fields of a company".
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from directory.models.querysets import CompanyQuerySet
from directory.models.trades import Trade
from erp_integrations.sendable import Sendable
from erpbridge.access.models import Account, Membership
from erpbridge.db.folded_fields import KeyField

CLASSIFICATIONS = {
    "affirmative_action": "Affirmative action",
    "small_business": "Small business",
    "disadvantaged_business": "Disadvantaged business",
    "minority_business_enterprise": "Minority business enterprise",
    "womens_business": "Women's business",
    "african_american_business": "African American business",
    "hispanic_business": "Hispanic business",
    "asian_american_business": "Asian American business",
    "native_american_business": "Native American business",
    "historically_underutilized_business": "Historically underutilized business (HUB)",
    "sdvo_business": "Service-disabled veteran owned business",
    "certified_business_enterprise": "Certified business enterprise",
    "eight_a_business": "8(a) business",
}


class EntityType(models.TextChoices):
    """The register that issued a company's tax or business number."""

    EIN = "ein", "EIN (United States)"
    ABN = "abn", "ABN (Australia)"
    OTHER = "other", "Other"


class Company(Sendable):
    """A company of an account. Only its name is required, and names are not unique.

    ``sort_name``, ``name_key`` and ``search_text`` are derived by the services: for ordering,
    look-alikes, and search in one column.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="companies")
    name = models.CharField("Name", max_length=255)
    abbreviated_name = models.CharField("Abbreviated name", max_length=10, blank=True)
    trade_name = models.CharField("DBA (doing business as)", max_length=255, blank=True)
    logo = models.ImageField("Logo", upload_to="logos/", blank=True)
    entity_type = models.CharField(
        "Entity type", max_length=10, choices=EntityType.choices, blank=True
    )
    entity_id = models.CharField("Entity ID", max_length=30, blank=True)
    business_phone = models.CharField("Business phone", max_length=50, blank=True)
    mobile_phone = models.CharField("Mobile phone", max_length=50, blank=True)
    fax_number = models.CharField("Business fax", max_length=50, blank=True)
    email_address = models.EmailField("E-mail address", max_length=254, blank=True)
    website = models.CharField("Website", max_length=255, blank=True)
    address = models.CharField("Address", max_length=255, blank=True)
    city = models.CharField("City", max_length=100, blank=True)
    city_key = KeyField("city")
    state_code = models.CharField("State", max_length=10, blank=True)
    zip = models.CharField("ZIP code", max_length=20, blank=True)
    country_code = models.CharField("Country", max_length=2, blank=True)
    license_number = models.CharField("License number", max_length=100, blank=True)
    labor_union = models.CharField("Labor union", max_length=100, blank=True)
    union_member = models.BooleanField("Union member", default=False)
    non_union_prevailing_wage = models.BooleanField("Non-union prevailing wage", default=False)
    prequalified = models.BooleanField("Prequalified", default=False)
    authorized_bidder = models.BooleanField("Authorized bidder", default=False)
    # Django enforces the limit of a text field in forms only.
    notes = models.TextField("Tags / keywords", max_length=1000, blank=True)
    is_own_company = models.BooleanField("This is our own company", default=False)
    is_active = models.BooleanField("Active", default=True)
    classifications = models.JSONField("Business classifications", default=list, blank=True)
    trades = models.ManyToManyField(Trade, blank=True, related_name="companies")
    people = models.ManyToManyField(
        Membership, blank=True, related_name="companies", verbose_name="People of this company"
    )
    # Contacts are people of the company, which no constraint can say: see
    # ``company_fields.contacts``.
    primary_contact = models.ForeignKey(
        Membership,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name="Primary contact",
    )
    contract_signer = models.ForeignKey(
        Membership,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name="Contract signer",
    )
    invoice_contacts = models.ManyToManyField(
        Membership, blank=True, related_name="+", verbose_name="Invoice contacts"
    )
    bid_contacts = models.ManyToManyField(
        Membership, blank=True, related_name="+", verbose_name="Bid contacts"
    )
    # Two levels only: a branch and its head office. Cost codes are stored as ids, because they
    # belong to another app.
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    standard_cost_code_ids = models.JSONField("Cost codes", default=list, blank=True)
    sort_name = models.CharField(max_length=255, editable=False)
    name_key = models.CharField(max_length=255, editable=False)
    search_text = models.TextField(editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CompanyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "companies"
        # One for each order of a list, ending in the id, by which a list goes on to the next page
        # (docs/adr/0007-lists-page-by-keyset.md).
        indexes = [
            models.Index(fields=["account", "sort_name", "id"], name="company_list"),
            models.Index(fields=["account", "name_key"], name="company_look_alike"),
            models.Index(fields=["account", "erp_state", "sort_name", "id"], name="company_by_erp"),
            models.Index(fields=["account", "erp_state", "id"], name="company_erp_order"),
            models.Index(fields=["account", "is_active", "id"], name="company_by_number"),
            models.Index(fields=["account", "city_key", "id"], name="company_city_order"),
            models.Index(
                fields=["account", "origin_id"],
                condition=~models.Q(origin_id=""),
                name="company_by_origin",
            ),
        ]

    def __str__(self) -> str:
        return self.name

"""Cost types, and the cost codes that use them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from admin_wbs.models.full_code import LONGEST_CODE
from admin_wbs.models.querysets.segments import (
    CostTypeQuerySet,
)
from erpbridge.access.models import Account
from erpbridge.db.folded_fields import Folding, KeyField, SearchField


class CostType(Folding):
    """A kind of cost, such as labor. Written only by ``cost_types``.

    ``base_type`` is its category in reports, whatever the account calls it.
    """

    class Base(models.TextChoices):
        """The base types of Procore's API."""

        LABOR = "labor", "Labor"
        EQUIPMENT = "equipment", "Equipment"
        MATERIALS = "materials", "Materials"
        COMMITMENT = "commitment", "Commitment"
        OWNER_COST = "owner_cost", "Owner Cost"
        PROFESSIONAL_SERVICES = "professional_services", "Professional Services"
        OTHER = "other", "Other"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cost_types")
    code = models.CharField("Code", max_length=LONGEST_CODE)
    label = models.CharField("Label", max_length=100)
    code_key = KeyField("code")
    search_text = SearchField("code", "label")
    base_type = models.CharField(
        "Base type", max_length=30, choices=Base.choices, default=Base.OTHER
    )
    is_default = models.BooleanField(default=False, editable=False)
    # The id in another system, which sets it over the API.
    origin_id = models.CharField("ERP ID", max_length=200, blank=True, editable=False)
    origin_data = models.TextField(max_length=10_000, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CostTypeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "code_key"], name="cost_type_code_once"),
            models.UniqueConstraint(
                fields=["account", "origin_id"],
                condition=~Q(origin_id=""),
                name="cost_type_origin_once_per_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.label}"


class CodeCostType(models.Model):
    """A cost code of the ERP list uses a cost type. Written only by ``code_cost_types``."""

    code = models.ForeignKey(
        "admin_wbs.CostCode", on_delete=models.CASCADE, related_name="cost_type_ticks"
    )
    cost_type = models.ForeignKey(CostType, on_delete=models.PROTECT, related_name="ticks")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "cost_type"], name="cost_type_once_per_code")
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.cost_type}"

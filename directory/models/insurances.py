"""Insurances of a company."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from directory.models.companies import Company


class Insurance(models.Model):
    """An insurance policy of a company."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="insurances")
    name = models.CharField("Name", max_length=255, blank=True)
    policy_number = models.CharField("Policy number", max_length=255, blank=True)
    insurance_type = models.CharField("Insurance type", max_length=255, blank=True)
    insurance_provider = models.CharField("Provider", max_length=255, blank=True)
    effective_date = models.DateField("Effective", null=True, blank=True)
    expiration_date = models.DateField("Expires", null=True, blank=True)
    limit = models.CharField("Limit", max_length=100, blank=True)
    status = models.CharField("Status", max_length=50, blank=True)
    notes = models.TextField("Notes", max_length=10_000, blank=True)
    exempt = models.BooleanField("Exempt", default=False)
    enable_expired_insurance_notifications = models.BooleanField("Notify", default=False)
    origin_id = models.CharField(max_length=200, blank=True)
    origin_data = models.TextField(max_length=10_000, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            # Without an origin id a policy is no other system's, and there may be many.
            models.UniqueConstraint(
                fields=["company", "origin_id"],
                condition=~models.Q(origin_id=""),
                name="insurance_origin_once_per_company",
            )
        ]

    def __str__(self) -> str:
        return self.policy_number or self.name

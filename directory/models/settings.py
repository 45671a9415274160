"""Settings of an account's Directory."""

from __future__ import annotations

from django.db import models

from erpbridge.access.models import Account
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField


class Department(Folding):
    """A department of the account; used by the API only."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="departments")
    name = models.CharField("Name", max_length=200)
    name_key = KeyField("name")
    search_text = SearchField("name")

    objects = FoldingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name_key"], name="department_once_per_account"
            )
        ]

    def __str__(self) -> str:
        return self.name


class RequiredFields(models.Model):
    """Columns that an account requires of companies in API calls that ask for the check.

    Written only by ``required_fields``.
    """

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.PROTECT, related_name="required_fields"
    )
    names = models.JSONField(default=list)

"""What an account sets about its Directory."""

from __future__ import annotations

from django.db import models

from erpbridge.access.models import Account
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField


class Department(Folding):
    """A department of the account, as the API keeps them."""

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
    """The columns that an account requires of its companies where a program asks for the check.

    Only ``required`` writes it.
    """

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.PROTECT, related_name="required_fields"
    )
    names = models.JSONField(default=list)

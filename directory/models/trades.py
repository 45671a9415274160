"""The account's list of trades."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from erpbridge.access.models import Account
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, KeyField, SearchField


class Trade(Folding):
    """A trade of the account's list."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="trades")
    name = models.CharField("Name", max_length=200)
    name_key = KeyField("name")
    search_text = SearchField("name")
    is_active = models.BooleanField("Active", default=True)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = FoldingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name_key"], name="trade_once_per_account")
        ]

    def __str__(self) -> str:
        return self.name

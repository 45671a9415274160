"""Cost codes, in up to five tiers.

See docs/design/work-breakdown-structure.md, "Cost codes".
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from admin_wbs.models.code_lists import CodeList
from admin_wbs.models.node import Tiered
from admin_wbs.models.querysets.cost_codes import (
    CostCodeQuerySet,
)
from erp_integrations.sendable import Sendable
from erpbridge.access.models import Account


class CostCode(Tiered, Sendable):
    """A code of a list. Only the services of this app write it."""

    within = "list"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cost_codes")
    list = models.ForeignKey(CodeList, on_delete=models.PROTECT, related_name="codes")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CostCodeQuerySet.as_manager()

    class Meta:
        constraints = [
            # Not only unique among siblings: an ERP identifies a code by its full code.
            models.UniqueConstraint(fields=["list", "code_key"], name="cost_code_once_per_list"),
        ]
        indexes = [
            # Also finds the codes under a code: a range of sort paths.
            models.Index(fields=["list", "sort_path"], name="cost_code_order"),
            models.Index(fields=["list", "parent", "sort_path"], name="cost_code_children"),
            models.Index(fields=["list", "erp_state"], name="cost_code_by_erp"),
            models.Index(fields=["account", "id"], name="cost_code_of_account"),
        ]

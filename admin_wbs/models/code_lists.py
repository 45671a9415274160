"""Cost code lists of an account, and imports into them."""

from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from admin_wbs.models.querysets.cost_codes import (
    CodeListQuerySet,
)
from erp_integrations import sendable
from erpbridge.access.models import Account
from erpbridge.db.folded_fields import Folding, KeyField, SearchField
from erpbridge.imports.models import FileImport


class CodeList(Folding):
    """A list of cost codes of an account.

    The list of an ERP connection stores the connection's id, without a foreign key, because the
    apps stay separate. A list that ``awaits_erp`` is the ERP list of an account without a
    connection; the first connection takes it over. ``revision`` counts the changes of the list and
    its codes, so that a page can tell that it is stale.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="code_lists")
    name = models.CharField("Name", max_length=150)
    name_key = KeyField("name")
    search_text = SearchField("name")
    # Stays when the connection is no longer used, so that the list is found again with it.
    connection_id = models.BigIntegerField(null=True, editable=False)
    awaits_erp = models.BooleanField(default=False, db_default=False, editable=False)
    for_new_projects = models.BooleanField("Available for use on new projects", default=True)
    revision = models.PositiveIntegerField(default=1, editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)
    # Null for a change by the ERP or the system, and before the first one.
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        editable=False,
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CodeListQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name_key"], name="code_list_name_once"),
            models.UniqueConstraint(
                fields=["connection_id"],
                condition=Q(connection_id__isnull=False),
                name="one_code_list_per_connection",
            ),
            models.UniqueConstraint(
                # Of two lists, the first connection would not know which one to take.
                fields=["account"],
                condition=Q(awaits_erp=True),
                name="one_code_list_awaits_the_erp",
            ),
            models.CheckConstraint(
                condition=Q(awaits_erp=False) | Q(connection_id=None),
                name="connected_code_list_awaits_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_erp(self) -> bool:
        """True for the ERP Standard Cost Codes, connected or not."""
        return self.awaits_erp or self.connection_id is not None

    @cached_property
    def connected(self) -> sendable.Connected | None:
        """The account's connection for cost codes, which may have another list; None without one.

        Looked up once, as a page asks for it many times. A locked list is a new instance, so that
        what is checked under the lock is the connection of that moment.
        """
        return sendable.connected(self.account_id, "cost_code")

    @property
    def erp(self) -> sendable.Connected | None:
        """The connection that this list belongs to; None if it is not the account's present one."""
        is_its_list = self.connected and self.connected.connection_id == self.connection_id
        return self.connected if is_its_list else None

    @property
    def erp_owns(self) -> bool:
        """True if the connected ERP owns the list: it is refreshed and never sent."""
        return self.erp is not None and self.erp.erp_owns


class CodeImport(FileImport):
    """An uploaded file of codes; nothing is written to the list before confirmation.

    ``delimiter`` separates the tiers if one column holds them all.
    """

    list = models.ForeignKey(CodeList, on_delete=models.CASCADE, related_name="imports")
    delimiter = models.CharField(max_length=1, blank=True)

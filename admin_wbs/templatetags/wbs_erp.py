"""What the pages of lists and codes offer about the ERP beyond sending."""

from __future__ import annotations

from django import template

from admin_wbs import lists
from admin_wbs.models import CodeList
from erp_integrations import sendable

register = template.Library()


@register.simple_tag
def erp_owns(found: CodeList) -> bool:
    """Whether the connected ERP owns the list, so that it is refreshed and never sent."""
    present = sendable.connected(found.account_id, lists.CODE)
    mine = present is not None and present.connection_id == found.connection_id
    return mine and present is not None and present.erp_owns

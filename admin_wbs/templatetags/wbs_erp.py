"""What the pages of lists and codes offer about the ERP beyond sending."""

from __future__ import annotations

from typing import Any

from django import template

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import refresh_job as erp_refresh_job
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.jobs.views import running

register = template.Library()


@register.simple_tag
def refresh_offer(access: Access, found: CodeList) -> dict[str, bool]:
    """Whether Refresh from ERP, and that on all projects, are offered on a list's page."""
    offered = found.is_erp and not erp_refresh_job.refusal(found)
    return {
        "may_refresh": offered and bool(access.can("codes.edit")),
        "may_refresh_projects": offered and bool(access.can("codes.refresh_projects")),
        "erp_owns": erp_owns(found),
    }


@register.inclusion_tag("wbs/refresh_news.html")
def refresh_news(access: Access, found: CodeList) -> dict[str, Any]:
    """Above a list's codes: a refresh that is going on, and why there is no Send."""
    present = sendable.connected(found.account_id, list_services.CODE)
    mine = present is not None and present.connection_id == found.connection_id
    context: dict[str, Any] = {
        "erp_owns": erp_owns(found),
        "erp": present.label if present else "",
        "wait": _wait(found) if mine else None,
    }
    return context | running(access, erp_refresh_job.subject(found))


def _wait(found: CodeList) -> sendable.Wait | None:
    return sendable.wait_of_list(list_services.CODE, found.account_id, found.codes.all())


@register.inclusion_tag("wbs/code_admin_actions.html")
def code_admin_actions(access: Access, code: CostCode) -> dict[str, Any]:
    """What an account admin can do with a synced code, in the actions of its page."""
    may = bool(code.origin_id) and bool(access.can("codes.unlink"))
    return {"account": access.account, "code": code, "may_unlink": may}


@register.simple_tag
def erp_owns(found: CodeList) -> bool:
    """Whether the connected ERP owns the list, so that it is refreshed and never sent."""
    present = sendable.connected(found.account_id, list_services.CODE)
    mine = present is not None and present.connection_id == found.connection_id
    return mine and present is not None and present.erp_owns

"""ERP actions on the pages of lists and codes, other than sending."""

from __future__ import annotations

from django import template

from admin_wbs.cost_codes import list_services
from admin_wbs.erp import refresh_job as erp_refresh_job
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.jobs.views import running

register = template.Library()


@register.simple_tag
def refresh_offer(access: Access, code_list: CodeList) -> dict[str, bool]:
    """Whether Refresh from ERP, and Refresh on all projects, are offered on a list's page."""
    # In this order, because the refusal looks up the connection.
    offered = code_list.is_erp and not erp_refresh_job.refusal(code_list)
    return {
        "may_refresh": offered and bool(access.can(Permission.CODES_EDIT)),
        "may_refresh_projects": offered and bool(access.can(Permission.CODES_REFRESH_PROJECTS)),
        "erp_owns": code_list.erp_owns,
    }


@register.inclusion_tag("wbs/refresh_news.html")
def refresh_news(access: Access, code_list: CodeList) -> dict[str, object]:
    """Above a list's codes: a running refresh, and why there is no Send."""
    context: dict[str, object] = {"erp_owns": code_list.erp_owns}
    if code_list.erp:
        codes = code_list.codes.all()
        context |= {
            "erp": code_list.erp.label,
            "wait": sendable.wait_of_list(list_services.CODE, code_list.account_id, codes),
        }
    return context | running(access, erp_refresh_job.subject(code_list))


@register.inclusion_tag("wbs/code_admin_actions.html")
def code_admin_actions(access: Access, code: CostCode) -> dict[str, object]:
    """What an account admin can do with a synced code."""
    may = bool(code.origin_id) and bool(access.can(Permission.CODES_UNLINK))
    return {"account": access.account, "code": code, "may_unlink": may}

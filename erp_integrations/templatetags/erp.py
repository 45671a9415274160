"""``{% load erp %}``: where the ERP stands, for pages of tools that know nothing of it."""

from __future__ import annotations

from typing import Any

from django import template

from erp_integrations.models.record_types import record_types
from erp_integrations.workflow.send.readiness import help_link, readiness
from erpbridge.access.policy import Access

register = template.Library()


@register.inclusion_tag("erp/parts/project_readiness.html")
def project_readiness(access: Access) -> dict[str, Any]:
    """Whether records of a project can be sent now, and if not, why and what next."""
    found = [readiness(kind.entity, access) for kind in record_types()]
    reasons = dict.fromkeys(one.message for ready in found for one in ready.problems)
    links = [help_link(ready, access) for ready in found if ready.problems]
    url, words = links[0] if links else ("", "")
    return {
        "reasons": list(reasons),
        "url": url if "projects" not in url else "",
        "words": words,
        "erp": next((ready.label for ready in found if ready.label), ""),
        "uses_erp": access.project is not None and access.project.use_with_erp,
    }

"""Template tags of ``{% load erp %}``, for pages of tools that do not know ERP Integrations."""

from __future__ import annotations

from django import template

from erp_integrations.models.record_types import record_types
from erp_integrations.workflow.send.readiness import help_link, readiness
from erpbridge.access.policy import Access

register = template.Library()


@register.inclusion_tag("erp/parts/project_readiness.html")
def project_readiness(access: Access) -> dict[str, object]:
    """Show whether records of a project can be sent now, and if not, why and what to do."""
    answers = [readiness(kind.entity, access) for kind in record_types()]
    # Several record types may be blocked for the same reason; it is shown once.
    reasons = dict.fromkeys(problem.message for ready in answers for problem in ready.problems)
    links = [help_link(ready, access) for ready in answers if ready.problems]
    url, words = links[0] if links else ("", "")
    return {
        "reasons": list(reasons),
        # The tag stands on the project's own settings page, where a link to it leads nowhere new.
        "url": url if "projects" not in url else "",
        "words": words,
        "erp": next((ready.label for ready in answers if ready.label), ""),
        "uses_erp": access.project is not None and access.project.use_with_erp,
    }

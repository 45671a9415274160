"""Whether a person can approve anything for accounting, and if not, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erpbridge.access.levels import Level, Tool
from erpbridge.access.record_types import entity_choices

if TYPE_CHECKING:
    from erpbridge.access.models import Membership

NO_LEVEL = (
    "Can push to accounting counts only together with Standard or Admin on ERP Integrations, in "
    "the account or on a project. Give one of them."
)
NO_TYPE = (
    "With Standard on ERP Integrations a person decides only about the record types ticked under "
    "Can export, and none is ticked. Tick one, or give Admin on ERP Integrations."
)


@dataclass(frozen=True)
class Approving:
    """Whether somebody can approve exports, with texts for the page of the person.

    ``missing`` says what a person with the flag lacks to approve anything; ``only`` says what
    limits somebody who can approve.
    """

    possible: bool = False
    missing: str = ""
    only: str = ""


def approving(membership: Membership) -> Approving:
    """Return the approver status that follows from the policy, over all scopes.

    Reads ``erp_rights`` and ``projects`` of the membership; prefetch them for lists of people.
    """
    if not membership.can_push_to_accounting:
        return Approving()
    in_account = membership.level(Tool.ERP_INTEGRATIONS)
    # Admin on the account's Directory also counts on projects and is the highest level, so the
    # maximum is right for it.
    on_projects = [
        project_membership.level(Tool.ERP_INTEGRATIONS)
        for project_membership in membership.projects.all()
    ]
    highest = max([in_account, *on_projects])
    if highest < Level.STANDARD:
        return Approving(missing=NO_LEVEL)
    ticked = {right.entity for right in membership.erp_rights.all() if right.can_export}
    # Rights may be stored for types that no installed app has any more.
    types = [label for entity, label in entity_choices() if entity in ticked]
    if highest < Level.ADMIN and not types:
        return Approving(missing=NO_TYPE)
    limits = []
    if in_account < Level.STANDARD:
        limits.append("on projects where they hold Standard or Admin on ERP Integrations")
    if highest < Level.ADMIN and len(types) < len(entity_choices()):
        limits.append(f"of these record types: {', '.join(types)}")
    return Approving(True, only=f"Only {', and '.join(limits)}." if limits else "")

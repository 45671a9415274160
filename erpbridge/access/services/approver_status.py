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
    """``missing``: what keeps somebody who has the flag from approving anything; ``only``: what
    narrows somebody who can approve something.
    """

    possible: bool = False
    missing: str = ""
    only: str = ""


def approving(membership: Membership) -> Approving:
    """What the policy will answer when the person decides about records, in any scope.

    Asks for ``erp_rights`` and ``projects`` of the membership: fetch them along for many people.
    """
    if not membership.can_push_to_accounting:
        return Approving()
    in_account = membership.level(Tool.ERP_INTEGRATIONS)
    # The account's level of a Company Directory Admin, which counts on projects, is the highest.
    on_projects = [one.level(Tool.ERP_INTEGRATIONS) for one in membership.projects.all()]
    best = max([in_account, *on_projects])
    if best < Level.STANDARD:
        return Approving(missing=NO_LEVEL)
    ticked = {right.entity for right in membership.erp_rights.all() if right.can_export}
    types = [label for entity, label in entity_choices() if entity in ticked]
    if best < Level.ADMIN and not types:
        return Approving(missing=NO_TYPE)
    narrowed = []
    if in_account < Level.STANDARD:
        narrowed.append("on projects where they hold Standard or Admin on ERP Integrations")
    if best < Level.ADMIN and len(types) < len(entity_choices()):
        narrowed.append(f"of these record types: {', '.join(types)}")
    return Approving(True, only=f"Only {', and '.join(narrowed)}." if narrowed else "")

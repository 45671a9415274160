"""Cost codes as a record type that can be sent; the entity name is ``cost_code``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostCode
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Connected, Draft, FurtherPage, Problem, Sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access

# What an adapter may map. ``is_group`` changes with the first child and the last, so the services
# that create and delete codes call ``note_edits`` for the parents.
COLUMNS = ("code", "full_code", "description", "path", "is_group", "is_active")
INACTIVE = Problem(
    field="is_active",
    rule="active",
    message="The cost code is inactive. Reactivate it before sending.",
    current="inactive",
    limit="active",
)


class CostCodeType:
    """What the engine needs to know about cost codes."""

    entity = list_services.CODE
    label = "Cost Code"
    label_plural = "Cost Codes"
    slug = "cost-codes"
    model: type[Sendable] = CostCode
    unit: Literal["record", "list"] = "list"
    view_action = Permission.CODES_VIEW
    send_action = Permission.CODES_SEND
    retrieve_action = Permission.CODES_RETRIEVE
    unlink_action = Permission.CODES_UNLINK

    def drafts(self, account_id: int, ids: Sequence[int]) -> list[Draft]:
        """The current state of the codes, in one query.

        ``path`` holds the codes from the first tier down; ``full_code`` is the same path joined.
        """
        codes = CostCode.objects.filter(account=account_id, pk__in=ids).with_groups()
        rows = codes.order_by("pk").values("pk", "revision", "parent_id", "depth", *COLUMNS)
        return [_draft(row) for row in rows]

    def problems(self, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
        """Refuse inactive codes, and codes of a list that is not the connected ERP's."""
        other_lists = _of_other_lists([draft.record_id for draft in drafts])
        by_code: dict[int, list[Problem]] = {}
        for draft in drafts:
            problems = [] if draft.payload["is_active"] else [INACTIVE]
            if draft.record_id in other_lists:
                problems.append(other_lists[draft.record_id])
            if problems:
                by_code[draft.record_id] = problems
        return by_code

    def children(self, ids: Sequence[int]) -> CostCodeQuerySet:
        """The codes directly under these codes."""
        return CostCode.objects.filter(parent__in=ids)

    def told_apart_by(self, account_id: int, ids: Sequence[int]) -> dict[int, Mapping[str, str]]:
        """Nothing; the code itself identifies a record."""
        return {}

    def visible(self, access: Access) -> CostCodeQuerySet:
        """The codes that the person can see."""
        return CostCode.objects.visible_to(access)

    def url(self, account_id: int, record_id: int, project_id: int | None = None) -> str:
        """URL of the code's page."""
        return reverse("admin_wbs:code", args=[account_id, record_id])

    def list_url(self, account_id: int, project_id: int | None) -> str:
        """URL of the account's cost code lists."""
        return reverse("admin_wbs:lists", args=[account_id])

    def further_pages(self, access: Access) -> list[FurtherPage]:
        """The page of the ERP list's cost types, for people who can see the codes."""
        account_id = access.account.pk
        code_list = (
            list_services.erp_list(account_id) if access.can(Permission.CODES_VIEW) else None
        )
        if code_list is None:
            return []
        return [
            FurtherPage("Cost Types", reverse("admin_wbs:matrix", args=[account_id, code_list.pk]))
        ]


def _draft(row: Mapping[str, Any]) -> Draft:
    return Draft(
        record_id=row["pk"],
        revision=row["revision"],
        label=f"{row['full_code']} {row['description']}",
        payload={name: row[name] for name in COLUMNS},
        parent_id=row["parent_id"],
        depth=row["depth"],
    )


def _of_other_lists(ids: Sequence[int]) -> dict[int, Problem]:
    """Code id -> why its list cannot be sent. All codes belong to one account."""
    problems: dict[int, Problem] = {}
    # The first one tells the account, because the engine sends records of one account.
    rows = CostCode.objects.filter(pk__in=ids[:1]).values_list("list", "account")
    for list_id, account_id in rows:
        erp_code_list = list_services.erp_list(account_id)
        # Without a connection there is no other list; that nothing can be sent is said elsewhere.
        erp_list_id = erp_code_list.pk if erp_code_list else list_id
        others = CostCode.objects.filter(pk__in=ids).exclude(list=erp_list_id)
        message = "It is not on the ERP Standard Cost Codes list of the connected ERP."
        problem = Problem("list", "other_list", message)
        problems |= dict.fromkeys(others.values_list("pk", flat=True), problem)
    return problems


def make_list(*, entity: str, account_id: int, connected: Connected, **_more: object) -> None:
    """Create the list of a newly connected ERP."""
    if entity == list_services.CODE:
        list_services.connected(connected, account_id)


def register() -> None:
    """Register cost codes as a record type that can be sent."""
    sendable.register(CostCodeType())
    # With a uid, so that registering twice connects once.
    sendable.connection_activated.connect(make_list, dispatch_uid="admin_wbs.make_list")

"""Cost codes as a record type of the seam; the entity word is ``cost_code``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CostCode
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Connected, Draft, FurtherPage, Problem, Sendable
from erpbridge.access.policy import Access

COLUMNS = ("code", "full_code", "description", "path", "is_group", "is_active")
INACTIVE = Problem(
    field="is_active",
    rule="active",
    message="The cost code is inactive. Reactivate it before sending.",
    current="inactive",
    limit="active",
)


class CostCodeType:
    """What the engine needs to know of cost codes."""

    entity = list_services.CODE
    label = "Cost Code"
    label_plural = "Cost Codes"
    slug = "cost-codes"
    model: type[Sendable] = CostCode
    unit: Literal["record", "list"] = "list"
    view_action = "codes.view"
    send_action = "codes.send"
    retrieve_action = "codes.retrieve"
    unlink_action = "codes.unlink"

    def drafts(self, account_id: int, ids: Sequence[int]) -> list[Draft]:
        """The codes as they stand, in one query.

        ``path`` holds the codes from the first tier down, ``full_code`` the same joined.
        """
        found = CostCode.objects.filter(account=account_id, pk__in=ids).with_groups()
        rows = found.order_by("pk").values("pk", "revision", "parent_id", "depth", *COLUMNS)
        return [_draft(row) for row in rows]

    def problems(self, drafts: Sequence[Draft]) -> dict[int, list[Problem]]:
        """An inactive code cannot be sent, nor one of a list that is not the present ERP's."""
        strange = _of_other_lists([draft.record_id for draft in drafts])
        found: dict[int, list[Problem]] = {}
        for draft in drafts:
            problems = [] if draft.payload["is_active"] else [INACTIVE]
            if draft.record_id in strange:
                problems.append(strange[draft.record_id])
            if problems:
                found[draft.record_id] = problems
        return found

    def children(self, ids: Sequence[int]) -> CostCodeQuerySet:
        """The codes of the next tier under some codes."""
        return CostCode.objects.filter(parent__in=ids)

    def told_apart_by(self, account_id: int, ids: Sequence[int]) -> dict[int, Mapping[str, str]]:
        """Nothing: the code says it all."""
        return {}

    def visible(self, access: Access) -> CostCodeQuerySet:
        """The codes that the person can see."""
        return CostCode.objects.visible_to(access)

    def url(self, account_id: int, record_id: int, project_id: int | None = None) -> str:
        """The code's own page."""
        return reverse("admin_wbs:code", args=[account_id, record_id])

    def list_url(self, account_id: int, project_id: int | None) -> str:
        """The cost codes of the account."""
        return reverse("admin_wbs:lists", args=[account_id])

    def further_pages(self, access: Access) -> list[FurtherPage]:
        """The cost types of the ERP's codes, for who may see the codes."""
        account_id = access.account.pk
        found = list_services.erp_list(account_id) if access.can("codes.view") else None
        if found is None:
            return []
        return [FurtherPage("Cost Types", reverse("admin_wbs:matrix", args=[account_id, found.pk]))]


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
    """Code id -> why its list cannot be sent."""
    found: dict[int, Problem] = {}
    rows = CostCode.objects.filter(pk__in=ids[:1]).values_list("list", "account")
    for list_id, account_id in rows:
        present = list_services.erp_list(account_id)
        right = present.pk if present else list_id
        others = CostCode.objects.filter(pk__in=ids).exclude(list=right)
        message = "It is not on the ERP Standard Cost Codes list of the connected ERP."
        problem = Problem("list", "other_list", message)
        found |= dict.fromkeys(others.values_list("pk", flat=True), problem)
    return found


def make_list(*, entity: str, account_id: int, connected: Connected, **_more: Any) -> None:
    """Give a newly connected ERP its list."""
    if entity == list_services.CODE:
        list_services.connected(connected, account_id)


def register() -> None:
    """Make cost codes sendable."""
    sendable.register(CostCodeType())
    sendable.connection_activated.connect(make_list, dispatch_uid="admin_wbs.make_list")

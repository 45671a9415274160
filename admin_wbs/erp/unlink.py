"""Unlink synced cost codes from the ERP, and delete them: a repair by an account admin.

The ERP keeps its codes. Linked codes are never left under an unlinked one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CostCode
from erp_integrations import sendable
from erpbridge.access.models import User


@dataclass(frozen=True)
class Usage:
    """What an admin must know before unlinking a code.

    ``stops``: why it cannot be unlinked; ``keeps``: why it cannot be deleted either.
    """

    projects: tuple[str, ...]
    linked_below: tuple[CostCode, ...]
    open_items: int
    others_below: int
    stops: str
    keeps: str


def usage(code: CostCode) -> Usage:
    """Check what uses a code; a fixed number of queries."""
    family = CostCode.objects.at_or_under(code)
    descendants = CostCode.objects.under(code)
    linked = tuple(descendants.synced().order_by("sort_path"))
    waiting = family.filter(sendable.locked()).count()
    names = code_services.project_names(family.values_list("pk", flat=True))
    projects = tuple(sorted({name for code_names in names.values() for name in code_names}))
    others = descendants.filter(origin_id="").count()
    stops = ""
    if not code.origin_id:
        stops = "It is not linked to the ERP."
    elif waiting:
        stops = (
            f"{waiting:,} of it and the codes under it wait for accounting or are being exported. "
            "Retrieve or settle these first."
        )
    keeps = ""
    if projects:
        keeps = f"It, or a code under it, is on {code_services.in_words(projects)}."
    elif others:
        keeps = f"{others:,} codes under it are not linked; delete these first."
    return Usage(projects, linked, waiting, others, stops, keeps)


@transaction.atomic
def unlink(code: CostCode, *, by: User, why: str, seen: int, with_below: bool, delete: bool) -> int:
    """Unlink a code, on request together with the linked codes under it, and delete them.

    All or nothing.

    :param seen: the list revision of the page that was confirmed.
    :returns: how many codes were unlinked.
    :raises Stale: if the list was changed since.
    :raises CodeRefused: with the reason.
    """
    code_list = list_services.lock(code.list_id)
    if code_list.revision != seen:
        raise Stale("The list changed since you opened the page. Look at it as it is, then decide.")
    # Read and checked again under the lock: what the page showed may not hold any more.
    stored = CostCode.objects.get(pk=code.pk)
    check = usage(stored)
    _refuse(check, with_below=with_below, delete=delete)
    family = [stored.pk, *(linked.pk for linked in check.linked_below)]
    # One reason is enough: raising it undoes the others too.
    for why_not in sendable.unlink(
        code_list.account_id, list_services.CODE, family, by=by, why=why
    ).values():
        raise CodeRefused(f"Nothing was changed. {why_not}")
    list_services.touch(code_list, by=by)
    if delete:
        _delete(stored, family, by=by)
    return len(family)


def _refuse(check: Usage, *, with_below: bool, delete: bool) -> None:
    """:raises CodeRefused:"""
    if check.stops:
        raise CodeRefused(check.stops)
    if check.linked_below and not with_below:
        count = len(check.linked_below)
        raise CodeRefused(
            f"{count:,} linked code{' is' if count == 1 else 's are'} under it. A code is not "
            "unlinked without these; choose to unlink them too.",
            field="with_below",
        )
    if delete and check.keeps:
        raise CodeRefused(f"It cannot be deleted. {check.keeps}", field="delete")


def _delete(code: CostCode, ids: Sequence[int], *, by: User) -> None:
    result = code_services.delete_unused(code.list, ids, by=by)
    if result.refused:
        raise CodeRefused(f"{result.refused[0].label} cannot be deleted. {result.refused[0].why}")

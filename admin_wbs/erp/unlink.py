"""Unlinking synced cost codes, and deleting them: an account admin's repair, with its reason kept.

The ERP keeps its codes. What is linked below a code is never left behind under an unlinked one.
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
    """What is to be known before a code is unlinked.

    ``stops``: why it cannot be; ``keeps``: why it could not be deleted either.
    """

    projects: tuple[str, ...]
    linked_below: tuple[CostCode, ...]
    open_items: int
    others_below: int
    stops: str
    keeps: str


def usage(code: CostCode) -> Usage:
    """The usage check of one code; a fixed number of queries."""
    family = CostCode.objects.at_or_under(code)
    below = CostCode.objects.under(code)
    linked = tuple(below.synced().order_by("sort_path"))
    waiting = family.filter(sendable.locked()).count()
    names = code_services.project_names(family.values_list("pk", flat=True))
    projects = tuple(sorted({name for found in names.values() for name in found}))
    others = below.filter(origin_id="").count()
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
    """End the link of a code, on demand also of what is linked below it, and delete them.

    All or nothing.

    :param seen: the revision of the list on the page that was confirmed.
    :returns: how many codes were unlinked.
    :raises Stale: where the list changed since.
    :raises CodeRefused: with the reason.
    """
    found = list_services.lock(code.list_id)
    if found.revision != seen:
        raise Stale("The list changed since you opened the page. Look at it as it is, then decide.")
    stored = CostCode.objects.get(pk=code.pk)
    check = usage(stored)
    _refuse(check, with_below=with_below, delete=delete)
    family = [stored.pk, *(one.pk for one in check.linked_below)]
    for why_not in sendable.unlink(
        found.account_id, list_services.CODE, family, by=by, why=why
    ).values():
        raise CodeRefused(f"Nothing was changed. {why_not}")
    list_services.touch(found, by=by)
    if delete:
        _delete(stored, family, by=by)
    return len(family)


def _refuse(check: Usage, *, with_below: bool, delete: bool) -> None:
    """:raises CodeRefused:"""
    if check.stops:
        raise CodeRefused(check.stops)
    if check.linked_below and not with_below:
        number = len(check.linked_below)
        raise CodeRefused(
            f"{number:,} linked code{' is' if number == 1 else 's are'} under it. A code is not "
            "unlinked without these; choose to unlink them too.",
            field="with_below",
        )
    if delete and check.keeps:
        raise CodeRefused(f"It cannot be deleted. {check.keeps}", field="delete")


def _delete(code: CostCode, ids: Sequence[int], *, by: User) -> None:
    outcome = code_services.delete_unused(code.list, ids, by=by)
    if outcome.left:
        raise CodeRefused(f"{outcome.left[0].label} cannot be deleted. {outcome.left[0].why}")

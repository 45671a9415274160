"""All writes to the cost codes of projects: adding from the company's lists, removing.

Lock order: the list, of several each in the order of their ids, then the project. Who adds a code
holds its list, so that it is neither deleted nor made inactive at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import Left, Outcome
from admin_wbs.models import CodeList, CostCode, ProjectCostCode, WbsCodeItem
from admin_wbs.models.node import BATCH
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, note

ENTITY = "project_cost_code"


def offered_lists(project: Project) -> list[CodeList]:
    """The lists that codes of a project come from, the connected ERP's first.

    Those that are available for new projects, and the ERP's for a project that uses the ERP;
    not the lists of an ERP that is not connected any more.
    """
    present = list_services.erp_list(project.account_id)
    wanted = Q(connection_id=None, for_new_projects=True)
    if present is not None and (project.use_with_erp or present.for_new_projects):
        wanted |= Q(pk=present.pk)
    found = CodeList.objects.filter(wanted, account=project.account_id)
    return sorted(found, key=lambda one: (not one.is_erp, one.name_key))


def offered(found: CodeList) -> CostCodeQuerySet:
    """The codes of a list that a project can be given: active ones, below active ones only."""
    return _offered([found])


def _offered(found: Sequence[CodeList]) -> CostCodeQuerySet:
    return CostCode.objects.filter(list__in=found, is_active=True)


@transaction.atomic
def add(found: CodeList, ids: Iterable[int], *, project: Project, by: User) -> int:
    """Put codes, all that is under them, and what is above them, on a project.

    :returns: how many the project did not have.
    """
    list_services.lock(found.pk)
    chosen: set[int] = set()
    for code in _named(offered(found).with_groups(), ids):
        if code.pk in chosen:
            continue
        chosen.add(code.pk)
        if code.is_group:  # type: ignore[attr-defined]  # annotated
            chosen.update(offered(found).under(code).values_list("pk", flat=True))
    return _put([found], chosen, project=project, by=by)


@transaction.atomic
def add_only(found: CodeList, ids: Iterable[int], *, project: Project, by: User) -> int:
    """Put codes and what is above them, but not what is under them, on a project."""
    list_services.lock(found.pk)
    return _put([found], {code.pk for code in _named(offered(found), ids)}, project=project, by=by)


@transaction.atomic
def add_of_any(ids: Iterable[int], *, project: Project, by: User) -> int:
    """:func:`add_only` for codes of any of the lists that are available to the project.

    All of these lists are held, whichever the codes are of: in a transaction that does this again
    for other codes, none is waited for while the project is held.
    """
    held = list_services.lock_many(one.pk for one in offered_lists(project))
    return _put(held, {code.pk for code in _named(_offered(held), ids)}, project=project, by=by)


@transaction.atomic
def add_matching(found: CodeList, words: str, *, project: Project, by: User) -> int:
    """Put every code of a list that matches a search, and what is above each, on a project."""
    list_services.lock(found.pk)
    chosen = set(offered(found).search(words).values_list("pk", flat=True))
    return _put([found], chosen, project=project, by=by)


def missing(found: CodeList, project: Project) -> CostCodeQuerySet:
    """Synced, active codes of the ERP's list that a project does not have."""
    here = ProjectCostCode.objects.filter(project=project).values("cost_code")
    return offered(found).synced().exclude(pk__in=here)


@transaction.atomic
def add_missing(found: CodeList, *, project: Project, by: User, most: int) -> int:
    """Bring in some of :func:`missing`, in the order of the tree; 0 where nothing is missing."""
    list_services.lock(found.pk)
    rows = missing(found, project).order_by("sort_path").values_list("pk", flat=True)
    return _put([found], set(rows[:most]), project=project, by=by)


@transaction.atomic
def remove(ids: Iterable[int], *, project: Project, by: User) -> Outcome:
    """Take codes off a project.

    One is left while a budget code uses it, or codes under it are on the project.
    """
    _lock(project)
    chosen = {row.cost_code_id: row for row in _rows(project, ids)}
    going = dict(sorted(chosen.items(), key=lambda pair: -pair[1].cost_code.depth))
    here = ProjectCostCode.objects.filter(project=project)
    family = here.values_list("cost_code", "cost_code__parent")
    holding = {parent for pk, parent in family if pk not in chosen}
    used = WbsCodeItem.objects.uses("cost_code", (row.pk for row in chosen.values()))
    left: list[Left] = []
    for pk, row in list(going.items()):
        if row.pk in used or pk in holding:
            below = "Codes under it are on the project. Remove these too, or first."
            left.append(Left(pk, str(row.cost_code), used.get(row.pk, below)))
            del going[pk]
            holding.add(row.cost_code.parent_id)
    gone = [row.pk for row in going.values()]
    for start in range(0, len(gone), BATCH):
        ProjectCostCode.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    _note(project, [row.cost_code for row in going.values()], "removed", by=by)
    return Outcome(len(gone), tuple(sorted(left, key=lambda one: one.label)))


def gone_inactive(project: Project) -> QuerySet[CostCode]:
    """Codes that stay on a project although the company's list has made them inactive."""
    here = ProjectCostCode.objects.filter(project=project).values("cost_code")
    return CostCode.objects.filter(pk__in=here, is_active=False).order_by("sort_path")


def _named(codes: CostCodeQuerySet, ids: Iterable[int]) -> list[CostCode]:
    wanted = sorted(set(ids))
    found: list[CostCode] = []
    for start in range(0, len(wanted), BATCH):
        found += codes.filter(pk__in=wanted[start : start + BATCH])
    # What is above comes first, so that what is under it is not looked up again.
    return sorted(found, key=lambda code: code.sort_path)


def _rows(project: Project, ids: Iterable[int]) -> list[ProjectCostCode]:
    wanted = sorted(set(ids))
    rows = ProjectCostCode.objects.filter(project=project).select_related("cost_code")
    found: list[ProjectCostCode] = []
    for start in range(0, len(wanted), BATCH):
        found += rows.filter(cost_code__in=wanted[start : start + BATCH])
    return found


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _put(found: Sequence[CodeList], chosen: set[int], *, project: Project, by: User) -> int:
    """Store the chosen codes and those above them; the caller holds the lists."""
    _lock(project)
    wanted = chosen | _above(chosen)
    here = ProjectCostCode.objects.filter(project=project, cost_code__list__in=found)
    new = sorted(wanted - set(here.values_list("cost_code", flat=True)))
    rows = [ProjectCostCode(project=project, cost_code_id=pk) for pk in new]
    ProjectCostCode.objects.bulk_create(rows, batch_size=BATCH)
    _note(project, _named(_offered(found), new), "added", by=by)
    return len(new)


def _above(ids: set[int]) -> set[int]:
    """Everything above some codes, tier by tier."""
    above: set[int] = set()
    tier = sorted(ids)
    while tier:
        parents: set[int] = set()
        for start in range(0, len(tier), BATCH):
            rows = CostCode.objects.filter(pk__in=tier[start : start + BATCH]).exclude(parent=None)
            parents.update(rows.values_list("parent_id", flat=True))
        tier = sorted(parents - ids - above)
        above |= parents
    return above


def _note(project: Project, codes: Sequence[CostCode], verb: str, *, by: User) -> None:
    data = {"project": str(project), "project_id": project.pk}
    notes = [Note(ENTITY, code.pk, str(code), verb, data=data) for code in codes]
    note(project.account_id, notes, by=by)

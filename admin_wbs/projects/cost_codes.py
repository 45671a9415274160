"""All writes to the cost codes of projects: adding from the company's lists, removing.

Lock order: the list (several lists in the order of their ids), then the project. Adding a code
locks its list, so that the code is neither deleted nor made inactive at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode, ProjectCostCode, WbsCodeItem
from admin_wbs.models.node import BATCH
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, Verb, note
from erpbridge.db.batches import chunks
from erpbridge.json_values import Json
from erpbridge.refusals import BulkResult, Left

ENTITY = "project_cost_code"


def offered_lists(project: Project) -> list[CodeList]:
    """The lists from which a project can take codes, the connected ERP's first.

    These are the lists available for new projects, and the ERP's list for a project that uses the
    ERP; not the lists of an ERP that is no longer connected.
    """
    erp_code_list = list_services.erp_list(project.account_id)
    condition = Q(connection_id=None, for_new_projects=True)
    if erp_code_list is not None and (project.use_with_erp or erp_code_list.for_new_projects):
        condition |= Q(pk=erp_code_list.pk)
    lists = CodeList.objects.filter(condition, account=project.account_id)
    return sorted(lists, key=lambda item: (not item.is_erp, item.name_key))


def offered(code_list: CodeList) -> CostCodeQuerySet:
    """The codes of a list that a project can take: the active ones."""
    return _offered([code_list])


def _offered(code_lists: Sequence[CodeList]) -> CostCodeQuerySet:
    return CostCode.objects.filter(list__in=code_lists, is_active=True)


@transaction.atomic
def add(code_list: CodeList, ids: Iterable[int], *, project: Project, by: User) -> int:
    """Add codes, all their descendants and ancestors to a project.

    :returns: how many the project did not have.
    """
    # The list before the project, in every function here; see the module.
    list_services.lock(code_list.pk)
    chosen: set[int] = set()
    for code in _named(offered(code_list).with_groups(), ids):
        # Under a code that was chosen before, all is chosen already.
        if code.pk in chosen:
            continue
        chosen.add(code.pk)
        if code.is_group:  # type: ignore[attr-defined]  # annotated
            chosen.update(offered(code_list).under(code).values_list("pk", flat=True))
    return _put([code_list], chosen, project=project, by=by)


@transaction.atomic
def add_only(code_list: CodeList, ids: Iterable[int], *, project: Project, by: User) -> int:
    """Add codes and their ancestors, but not their descendants, to a project."""
    list_services.lock(code_list.pk)
    return _put(
        [code_list], {code.pk for code in _named(offered(code_list), ids)}, project=project, by=by
    )


@transaction.atomic
def add_of_any(ids: Iterable[int], *, project: Project, by: User) -> int:
    """:func:`add_only` for codes of any list that is available to the project.

    All of these lists are locked, whichever list the codes are of. A transaction that calls this
    again for other codes then never waits for a list while it holds the project.
    """
    lists = list_services.lock_many(item.pk for item in offered_lists(project))
    return _put(lists, {code.pk for code in _named(_offered(lists), ids)}, project=project, by=by)


@transaction.atomic
def add_matching(code_list: CodeList, words: str, *, project: Project, by: User) -> int:
    """Add all codes of a list that match a search, and their ancestors, to a project."""
    list_services.lock(code_list.pk)
    chosen = set(offered(code_list).search(words).values_list("pk", flat=True))
    return _put([code_list], chosen, project=project, by=by)


def missing(code_list: CodeList, project: Project) -> CostCodeQuerySet:
    """Synced, active codes of the ERP's list that a project does not have."""
    on_project = ProjectCostCode.objects.filter(project=project).values("cost_code")
    return offered(code_list).synced().exclude(pk__in=on_project)


@transaction.atomic
def add_missing(code_list: CodeList, *, project: Project, by: User, most: int) -> int:
    """Add up to ``most`` of :func:`missing`, in tree order; 0 if nothing is missing."""
    list_services.lock(code_list.pk)
    rows = missing(code_list, project).order_by("sort_path").values_list("pk", flat=True)
    return _put([code_list], set(rows[:most]), project=project, by=by)


@transaction.atomic
def remove(ids: Iterable[int], *, project: Project, by: User) -> BulkResult[Left]:
    """Remove codes from a project.

    A code stays while a budget code uses it, or codes under it are on the project.
    """
    _lock(project)
    chosen = {row.cost_code_id: row for row in _rows(project, ids)}
    to_remove = dict(sorted(chosen.items(), key=lambda pair: -pair[1].cost_code.depth))
    on_project = ProjectCostCode.objects.filter(project=project)
    family = on_project.values_list("cost_code", "cost_code__parent")
    # What stays in any case keeps its parents; what is chosen is looked at below.
    parents_in_use = {parent for pk, parent in family if pk not in chosen}
    used = WbsCodeItem.objects.uses("cost_code", (row.pk for row in chosen.values()))
    left: list[Left] = []
    # Deepest first: a code that stays keeps the codes above it.
    for pk, row in list(to_remove.items()):
        if row.pk in used or pk in parents_in_use:
            below = "Codes under it are on the project. Remove these too, or first."
            left.append(Left(pk, str(row.cost_code), used.get(row.pk, below)))
            del to_remove[pk]
            parents_in_use.add(row.cost_code.parent_id)
    row_ids = [row.pk for row in to_remove.values()]
    for chunk in chunks(row_ids):
        ProjectCostCode.objects.filter(pk__in=chunk).delete()
    _note(project, [row.cost_code for row in to_remove.values()], Verb.REMOVED, by=by)
    return BulkResult(len(row_ids), tuple(sorted(left, key=lambda item: item.label)))


def gone_inactive(project: Project) -> QuerySet[CostCode]:
    """Codes of a project that became inactive in the company's list."""
    on_project = ProjectCostCode.objects.filter(project=project).values("cost_code")
    return CostCode.objects.filter(pk__in=on_project, is_active=False).order_by("sort_path")


def _named(codes: CostCodeQuerySet, ids: Iterable[int]) -> list[CostCode]:
    code_ids = sorted(set(ids))
    rows: list[CostCode] = []
    for chunk in chunks(code_ids):
        rows += codes.filter(pk__in=chunk)
    # Ancestors first, so that add() does not look up their descendants again.
    return sorted(rows, key=lambda code: code.sort_path)


def _rows(project: Project, ids: Iterable[int]) -> list[ProjectCostCode]:
    code_ids = sorted(set(ids))
    rows = ProjectCostCode.objects.filter(project=project).select_related("cost_code")
    matches: list[ProjectCostCode] = []
    for chunk in chunks(code_ids):
        matches += rows.filter(cost_code__in=chunk)
    return matches


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _put(code_lists: Sequence[CodeList], chosen: set[int], *, project: Project, by: User) -> int:
    """Store the codes and their ancestors; the caller has locked the lists."""
    _lock(project)
    code_ids = chosen | _above(chosen)
    on_project = ProjectCostCode.objects.filter(project=project, cost_code__list__in=code_lists)
    # Under the project's lock, so that none of these is added twice.
    new = sorted(code_ids - set(on_project.values_list("cost_code", flat=True)))
    rows = [ProjectCostCode(project=project, cost_code_id=pk) for pk in new]
    ProjectCostCode.objects.bulk_create(rows, batch_size=BATCH)
    _note(project, _named(_offered(code_lists), new), Verb.ADDED, by=by)
    return len(new)


def _above(ids: set[int]) -> set[int]:
    """All ancestors of the codes; one query per tier and batch."""
    above: set[int] = set()
    tier = sorted(ids)
    while tier:
        parents: set[int] = set()
        for chunk in chunks(tier):
            rows = CostCode.objects.filter(pk__in=chunk).exclude(parent=None)
            parents.update(rows.values_list("parent_id", flat=True))
        # A parent that was chosen itself has been looked up already.
        tier = sorted(parents - ids - above)
        above |= parents
    return above


def _note(project: Project, codes: Sequence[CostCode], verb: Verb, *, by: User) -> None:
    data: Mapping[str, Json] = {"project": str(project), "project_id": project.pk}
    notes = [Note(ENTITY, code.pk, str(code), verb, data=data) for code in codes]
    note(project.account_id, notes, by=by)
